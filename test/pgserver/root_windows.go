package pgserver

// dropRoot has nothing to do: PostgreSQL drops the administrator's rights by itself.
func (s *Server) dropRoot() error { return nil }

package topics

// A Health filter tells which partitions to show; the zero value shows all.
type Health struct {
	UnderReplicated bool // those of which a replica isn't in sync
	Offline         bool // those without a leader: nobody can read or write them
}

// Set tells whether the filter filters.
func (h Health) Set() bool { return h.UnderReplicated || h.Offline }

func (h Health) matches(p Partition) bool {
	return h.UnderReplicated && p.underReplicated() || h.Offline && p.offline()
}

func (p Partition) underReplicated() bool { return len(p.ISR) < len(p.Replicas) }
func (p Partition) offline() bool         { return p.Leader < 0 }

// Topics keeps the topics that have partitions of this kind.
func (h Health) Topics(list []Summary) []Summary {
	found := []Summary{}
	for _, s := range list {
		if h.UnderReplicated && s.UnderReplicated > 0 || h.Offline && s.Offline > 0 {
			found = append(found, s)
		}
	}
	return found
}

// Partitions keeps the partitions of this kind, and the topics that have any.
func (h Health) Partitions(list []Description) []Description {
	found := []Description{}
	for _, d := range list {
		var kept []Partition
		for _, p := range d.Details {
			if h.matches(p) {
				kept = append(kept, p)
			}
		}
		if len(kept) > 0 {
			d.Details = kept
			found = append(found, d)
		}
	}
	return found
}

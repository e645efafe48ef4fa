// Package compose holds docker-compose.yml, the stack as containers; that file is the
// only copy. It stands here because people look for it at the top of the repository.
package compose

import _ "embed"

// File is docker-compose.yml.
//
//go:embed docker-compose.yml
var File []byte

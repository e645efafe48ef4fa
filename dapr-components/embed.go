// Package components holds the Dapr resources of the stack, as the YAML files
// that daprd reads; these files are the only copy.
//
// The top level holds what loads on every machine, given a broker: a daprd
// pointed at this folder (dapr run --resources-path dapr-components) works, and so
// does todoctl dev, which writes the same files under its data folder. Dapr reads
// the top level of a folder only, so what needs another server stands apart, under
// alternatives/NAME, and is loaded by naming that folder as well.
package components

import "embed"

// Files holds the resource files, with paths as in this folder. Give it to a
// function that reads one level to get the default set; take fs.Sub of
// "alternatives/NAME" for the others.
//
//go:embed *.yaml alternatives
var Files embed.FS

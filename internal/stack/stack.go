// Package stack runs the parts of the event stack that are programs of their own:
// the Dapr sidecar as a child process, and the embedded development broker.
//
// It guarantees that no sidecar outlives the todoctl that started it: it is
// stopped gracefully on a clean stop, dies with its parent on Linux and Windows,
// and elsewhere is found and ended by the next start in the same folder. A sidecar
// that dies by itself is started again on the same ports, within bounds. Failures
// to start are told in one line that names the component, port or file at fault.
//
// It also keeps the files of a data folder that tell of a running stack: the lock,
// run.json, and the Dapr resources as they are loaded. And it runs the user's editor.
//
// It doesn't publish, subscribe or create topics, knows nothing of tasks, and
// reads no environment and no flags: the caller passes them in.
package stack

// Package publish brings events from the outbox to their topics. It has the two
// publishers, Dapr (through the sidecar) and Kafka (straight to the brokers), and
// the Relay, which reads the outbox, publishes and marks. Stream publishes what comes
// from elsewhere, without an outbox.
//
// Guarantees: an event is marked published only after the broker acknowledged it,
// so a crash repeats an event and never loses one; an event of a task goes out
// only after the one before it was acknowledged, so that the first occurrences of
// a task's events are on the topic in their order; a repeated event has the same
// id and content.
//
// It doesn't make events, doesn't store them and doesn't choose the leader: that
// is the [Outbox]'s work. It never drops an event: what a broker keeps refusing
// is parked in the outbox until an operator decides.
package publish

package task

import "time"

// A Delivery is an event that is owed to a consumer which can't share a transaction
// with the database: it waits in the database until the consumer has it.
type Delivery struct {
	Consumer string
	EventID  string
	Payload  []byte // the event and what else the consumer needs of it

	ReceivedAt time.Time
	Attempts   int       // those that failed
	Due        time.Time // of the next attempt; while one is under way, when others may make it
}

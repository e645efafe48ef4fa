// Package checker judges a fault campaign by what is there in the end: the answers
// that clients got, the rows of the database, the records of the topics. It shares no
// code with what it judges and imports nothing of this module.
//
// The invariants, and what turns each red:
//
//	I1  no loss: a change that was answered with 2xx has no row, a row of task-events
//	    has none beside it for task-updates, or a row has no record on its topic
//	I2  no phantom: a record has no row, or a row was asked for by nobody, by a
//	    request that was refused, or twice
//	I3  order: the first occurrences of a task's events on a topic aren't 1, 2, … n on
//	    one partition
//	I4  repetition: records of one id differ, or differ from the row
//	I7  recovery: the outbox isn't empty in time after the last fault
//
// Of the workers, by CheckWorker:
//
//	I5  one effect: a reminder that a client was promised didn't fall due, or twice, or
//	    was taken back; an event that fell due has no line or no webhook, or a line more
//	    than a worker's end between sending and noting explains; a completed task of a
//	    series has no next one, or two
//	I6  dead letters: poison has none, or another reason, or doesn't say where it was; a
//	    good event has one for another reason than failed attempts
//	I7  recovery: events wait after the last fault
//	I8  commit: at some moment an event below the committed offset had neither its
//	    effect nor its dead letter
//
// Two more come with those of the campaign. Answers: an answer contradicts the rows or an earlier
// answer. State: a task in the database isn't what its last event says.
package checker

package dlq

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// A Discarded is a line of the audit log.
type Discarded struct {
	Time      time.Time `json:"time"`
	User      string    `json:"user"`
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	EventID   string    `json:"event_id"` // empty of what is no event
	Reason    string    `json:"reason"`   // why it was a dead letter
	Because   string    `json:"because"`  // why it was discarded
}

// Discard settles the job's letters without producing them anywhere. Each is on the
// disk as a line at the end of the audit log before it is settled; after a crash a
// letter may have two lines. It returns how many are settled. It is called once.
func (j *Job) Discard(ctx context.Context, audit, user, because string) (n int, err error) {
	if j.plan.Selected == 0 {
		return 0, nil
	}
	log, err := openAudit(audit)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	held, lose := j.hold.guard(ctx)
	defer lose(nil)
	s := j.settling()
	spans, wanted := j.chosen(nil)
	err = j.box.read(held, spans, func(letters []Letter) error {
		var lines []Discarded
		for _, l := range letters {
			if wanted[l.Place()] {
				at := l.Place()
				lines = append(lines, Discarded{time.Now().UTC(), user, at.Topic, at.Partition, at.Offset, l.Event.ID, l.Reason, because})
			}
		}
		if err := writeAudit(log, lines); err != nil {
			return err
		}
		for _, line := range lines {
			s.settle(Place{line.Topic, line.Partition, line.Offset})
		}
		if err := s.commit(held); err != nil {
			return err
		}
		n += len(lines)
		return nil
	})
	if ctx.Err() == nil && held.Err() != nil {
		err = context.Cause(held)
	}
	return n, err
}

func openAudit(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("folder of the audit log: %w", err)
	}
	log, err := os.OpenFile(filepath.Clean(path), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	if dir, err := os.Open(filepath.Dir(path)); err == nil { // where a folder can be synced, so that a new file stays
		_ = dir.Sync()
		_ = dir.Close()
	}
	return log, nil
}

// writeAudit returns when the lines are on the disk.
func writeAudit(log *os.File, lines []Discarded) error {
	var text []byte
	for _, line := range lines {
		one, err := json.Marshal(line)
		if err != nil {
			return err
		}
		text = append(append(text, one...), '\n')
	}
	if _, err := log.Write(text); err != nil {
		return fmt.Errorf("write audit log: %w", err)
	}
	if err := log.Sync(); err != nil {
		return fmt.Errorf("write audit log: %w", err)
	}
	return nil
}

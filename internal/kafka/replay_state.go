package kafka

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// What OpenReplay's callers tell apart.
var (
	ErrUnfinished      = errors.New("an unfinished replay stands in the state file")
	ErrNothingToResume = errors.New("no unfinished replay stands in the state file")
)

const replayKind = "replay"

// A ReplayState is a replay and how far it is: the content of the state file.
type ReplayState struct {
	Kind    string    `json:"kind"`    // "replay"
	Version int       `json:"version"` // 1
	ID      string    `json:"id"`      // what ReplayIDHeader holds
	Begun   time.Time `json:"begun"`

	Source ReplayEnd `json:"source"`
	Target ReplayEnd `json:"target"`

	Range       string `json:"range"` // as it was asked for; the partitions have the offsets
	Keep        string `json:"filter,omitempty"`
	Uncommitted bool   `json:"uncommitted,omitempty"`

	KeepsPartitions bool              `json:"keeps_partitions"` // else keys choose them
	Partitions      []ReplayPartition `json:"partitions"`
}

// A ReplayEnd is where a replay comes from or goes to.
type ReplayEnd struct {
	Cluster string `json:"cluster"` // its id
	Topic   string `json:"topic"`
	TopicID string `json:"topic_id"`
}

// A ReplayPartition is the progress in one partition of the source.
type ReplayPartition struct {
	Partition int32 `json:"partition"`
	From      int64 `json:"from"` // the first offset
	To        int64 `json:"to"`   // the offset behind the last
	Next      int64 `json:"next"` // everything below is acknowledged, or was left out

	Records  int64 `json:"records"`  // that were acknowledged
	Bytes    int64 `json:"bytes"`    // of their keys, values and headers as they are in the source
	Filtered int64 `json:"filtered"` // left out by the filter
	Again    int64 `json:"again"`    // of Records: were the product of a replay already
}

// Left is how many offsets are still to be passed.
func (p ReplayPartition) Left() int64 { return p.To - p.Next }

// Total adds up the partitions, with offsets that count from 0.
func (s ReplayState) Total() ReplayPartition {
	var t ReplayPartition
	for _, p := range s.Partitions {
		t.To += p.To - p.From
		t.Next += p.Next - p.From
		t.Records += p.Records
		t.Bytes += p.Bytes
		t.Filtered += p.Filtered
		t.Again += p.Again
	}
	return t
}

// ReadReplayState reads a state file. Without one the error is fs.ErrNotExist.
func ReadReplayState(path string) (ReplayState, error) {
	var s ReplayState
	text, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("read state file %s: %w", path, err)
	}
	if s.Kind != replayKind || s.Version != 1 {
		return s, fmt.Errorf("%s is no state file of this version: it is of kind %q, version %d", path, s.Kind, s.Version)
	}
	return s, nil
}

// write replaces the state file and returns when that is on the disk.
func (s ReplayState) write(path string) (err error) {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp") // mode 0600
	if err != nil {
		return fmt.Errorf("write state file: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("write state file: %w", errors.Join(err, os.Remove(f.Name())))
		}
	}()
	_, err = f.Write(append(text, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	syncDir(filepath.Dir(path))
	return nil
}

// syncDir makes a rename last through a loss of power, where the system can: Windows
// opens no folders. Without it the state before may come back, which is as true.
func syncDir(path string) {
	if dir, err := os.Open(filepath.Clean(path)); err == nil {
		_ = dir.Sync()
		_ = dir.Close()
	}
}

// takeState locks the state file and reads what it holds.
func (r *Replay) takeState() error {
	path := r.o.StateFile
	if path == "" {
		return nil
	}
	if !r.o.DryRun {
		var err error
		if r.lock, err = lockState(path); err != nil {
			return err
		}
	}
	s, err := ReadReplayState(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && r.o.Resume:
		return ErrNothingToResume
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil && !r.o.Restart:
		return err
	case r.o.Resume:
		r.state = s
	case !r.o.Restart && !r.o.DryRun:
		return ErrUnfinished
	}
	return nil
}

// save writes the progress, if that is to be kept.
func (r *Replay) save(s ReplayState) error {
	if r.o.StateFile == "" {
		return nil
	}
	return s.write(r.o.StateFile)
}

// forget removes the state file of a replay that is done.
func (r *Replay) forget() error {
	if r.o.StateFile == "" {
		return nil
	}
	return os.Remove(r.o.StateFile)
}

// A stateLock keeps two replays off one state file. It goes with the process.
type stateLock struct{ file *flock.Flock }

func lockState(path string) (*stateLock, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("folder of the state file: %w", err)
	}
	file := flock.New(path+".lock", flock.SetPermissions(0o600))
	locked, err := file.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock state file: %w", err)
	}
	if !locked {
		return nil, fmt.Errorf("another replay runs with the state file %s", path)
	}
	return &stateLock{file}, nil
}

// release leaves the lock's file where it is: removing it could take it away from
// under another process that has just opened it.
func (l *stateLock) release() {
	if l != nil {
		_ = l.file.Unlock() // it ends with the process at the latest
	}
}

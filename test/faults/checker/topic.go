package checker

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os/exec"
	"strconv"
)

// maxLine bounds a line of kcat's: an event has 256 KiB at most.
const maxLine = 1 << 20

// ReadTopic reads a whole topic with kcat, which shares no code with todoctl.
func ReadTopic(ctx context.Context, broker, topic string) ([]Record, error) {
	// Partition by partition, each in the order of its offsets: kcat keeps both.
	cmd := exec.CommandContext(ctx, "kcat", "-q", "-b", broker, "-C", "-t", topic, "-o", "beginning", "-e", "-f", `%p %o %k %s\n`)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("kcat: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("kcat: %w", err)
	}
	records, readErr := parseRecords(out)
	for i := range records {
		records[i].Topic = topic
	}
	if err := cmd.Wait(); err != nil && readErr == nil {
		return nil, fmt.Errorf("kcat: %w: %s", err, &stderr)
	}
	return records, readErr
}

func parseRecords(out io.Reader) ([]Record, error) {
	var records []Record
	next := map[int]int64{} // the offset that may come next, by partition
	known := events{}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		r, err := known.record(lines.Bytes())
		if err != nil {
			return nil, err
		}
		if r.Offset < next[r.Partition] {
			return nil, fmt.Errorf("kcat: offset %d of partition %d comes too late", r.Offset, r.Partition)
		}
		next[r.Partition] = r.Offset + 1
		records = append(records, r)
	}
	return records, lines.Err()
}

// events remembers what was read, by the hash of its text: most repetitions are equal
// to the last byte.
type events map[[sha256.Size]byte]Event

func (e events) parse(text []byte) (Event, error) {
	sum := sha256.Sum256(text)
	if event, ok := e[sum]; ok {
		return event, nil
	}
	event, err := ParseEvent(text)
	if err == nil {
		e[sum] = event
	}
	return event, err
}

// record reads a line: partition, offset, key, value.
func (e events) record(line []byte) (Record, error) {
	words := bytes.SplitN(line, []byte(" "), 4)
	if len(words) != 4 {
		return Record{}, fmt.Errorf("kcat: line %.80q", line)
	}
	partition, err := strconv.Atoi(string(words[0]))
	if err != nil {
		return Record{}, fmt.Errorf("kcat: partition: %w", err)
	}
	offset, err := strconv.ParseInt(string(words[1]), 10, 64)
	if err != nil {
		return Record{}, fmt.Errorf("kcat: offset: %w", err)
	}
	event, err := e.parse(words[3])
	if err != nil {
		return Record{}, fmt.Errorf("record %d/%d: %w", partition, offset, err)
	}
	r := Record{Event: event, Partition: partition, Offset: offset, Key: string(words[2])}
	if task := strconv.FormatInt(event.TaskID, 10); r.Key != task || event.Subject != "tasks/"+task {
		return r, fmt.Errorf("record %d/%d: key %q and subject %q of task %s", partition, offset, r.Key, event.Subject, task)
	}
	return r, nil
}

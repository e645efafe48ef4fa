package server

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A Position is a place in the log of updates: all before it was read.
type Position struct {
	Log     string  // tells logs apart, in letters and digits: a topic that is made anew is another one
	Offsets []int64 // of the next record, by partition
}

const (
	maxPosition  = 4 << 10 // bytes, of a position as text
	maxPartition = 1 << 10
)

// String is the position as the id of a server-sent event: log-17.4.9.
func (p Position) String() string {
	text := append(make([]byte, 0, 64), p.Log...)
	for i, offset := range p.Offsets {
		text = strconv.AppendInt(append(text, separator(i)), offset, 10)
	}
	return string(text)
}

func separator(i int) byte {
	if i == 0 {
		return '-'
	}
	return '.'
}

var errPosition = errors.New("must be the id of an event of this stream")

// parsePosition reads what String wrote.
func parsePosition(text string) (Position, error) {
	log, offsets, ok := strings.Cut(text, "-")
	if !ok || len(text) > maxPosition || !isWord(log) {
		return Position{}, errPosition
	}
	p := Position{Log: log}
	for digits := range strings.SplitSeq(offsets, ".") {
		offset, err := wholeNumber(digits)
		if err != nil || offset == math.MaxInt64 || len(p.Offsets) == maxPartition {
			return Position{}, errPosition
		}
		p.Offsets = append(p.Offsets, offset)
	}
	return p, nil
}

func isWord(text string) bool {
	return text != "" && strings.Trim(text, "0123456789abcdefghijklmnopqrstuvwxyz") == ""
}

// At is the offset of a partition; one that the position doesn't have wasn't there
// when it was made, so none of it was read.
func (p Position) At(partition int32) int64 {
	if int(partition) < len(p.Offsets) {
		return p.Offsets[partition]
	}
	return 0
}

// pass moves the position behind a record. It never moves back.
func (p *Position) pass(partition int32, offset int64) {
	for int(partition) >= len(p.Offsets) {
		p.Offsets = append(p.Offsets, 0)
	}
	p.Offsets[partition] = max(p.Offsets[partition], offset+1)
}

// passAll moves the position to where q is further.
func (p *Position) passAll(q Position) {
	for partition, offset := range q.Offsets {
		p.pass(int32(partition), offset-1)
	}
}

// reaches reports whether the position is at q or behind it, in every partition.
func (p Position) reaches(q Position) bool {
	for partition, offset := range q.Offsets {
		if p.At(int32(partition)) < offset {
			return false
		}
	}
	return true
}

// behind counts the records from the position to q.
func (p Position) behind(q Position) int64 {
	var n int64
	for partition, offset := range q.Offsets {
		n += max(offset-p.At(int32(partition)), 0)
	}
	return n
}

func (p Position) clone() Position {
	return Position{Log: p.Log, Offsets: slices.Clone(p.Offsets)}
}

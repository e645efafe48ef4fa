package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/todoctl/todoctl/internal/groups"
)

// partitionHeader names the columns of partitionRows: those of rpk, and LAG-AGE; the
// last two only where there is something in them.
func partitionHeader(partitions []groups.Partition) []string {
	header := []string{"TOPIC", "PARTITION", "CURRENT-OFFSET", "LOG-START-OFFSET", "LOG-END-OFFSET", "LAG", "LAG-AGE", "MEMBER-ID", "CLIENT-ID", "HOST"}
	if slices.ContainsFunc(partitions, isStatic) {
		header = append(header, "INSTANCE-ID")
	}
	if slices.ContainsFunc(partitions, func(p groups.Partition) bool { return partitionNote(p) != "" }) {
		header = append(header, "NOTE")
	}
	return header
}

func isStatic(p groups.Partition) bool { return p.InstanceID != "" }

func partitionRows(partitions []groups.Partition) [][]string {
	static := slices.ContainsFunc(partitions, isStatic)
	var rows [][]string
	for _, p := range partitions {
		age := "-"
		if p.LagSeconds != nil && p.Lag != nil && *p.Lag > 0 {
			age = ageText(*p.LagSeconds)
		}
		row := []string{
			p.Topic, strconv.Itoa(int(p.Partition)), number(p.Current), number(p.Start), number(p.End), number(p.Lag), age,
			p.MemberID, p.ClientID, p.Host,
		}
		if static {
			row = append(row, p.InstanceID)
		}
		rows = append(rows, append(row, partitionNote(p)))
	}
	if width := len(partitionHeader(partitions)); len(rows[0]) > width {
		for i := range rows {
			rows[i] = rows[i][:width]
		}
	}
	return rows
}

// number is a number that may be missing.
func number(n *int64) string {
	if n == nil {
		return "-"
	}
	return strconv.FormatInt(*n, 10)
}

// partitionNote is what is wrong with a partition.
func partitionNote(p groups.Partition) string {
	var notes []string
	if p.Gone {
		notes = append(notes, "doesn't exist any more")
	}
	if p.Lost > 0 {
		notes = append(notes, fmt.Sprintf("%d deleted unread", p.Lost))
	}
	if p.Beyond > 0 {
		notes = append(notes, fmt.Sprintf("%d beyond the end", p.Beyond))
	}
	if p.Error != "" {
		notes = append(notes, p.Error)
	}
	return strings.Join(notes, "; ")
}

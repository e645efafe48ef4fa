package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// A table is printed as Markdown with aligned columns.
type table struct {
	title string
	head  []string
	rows  [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) print(w io.Writer) {
	widths := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	fmt.Fprintf(w, "\n### %s\n\n", t.title)
	line := func(cells []string) {
		for i, cell := range cells {
			fmt.Fprintf(w, "| %s%s ", cell, strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)))
		}
		fmt.Fprintln(w, "|")
	}
	line(t.head)
	rule := make([]string, len(widths))
	for i, width := range widths {
		rule[i] = strings.Repeat("-", width)
	}
	line(rule)
	for _, row := range t.rows {
		line(row)
	}
}

// count writes a number with a comma at the thousands.
func count(n float64) string {
	s := fmt.Sprintf("%.0f", n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// counts is the median of the rounds and their range.
func (s spread) counts() string {
	return fmt.Sprintf("%s (%s–%s)", count(s.median()), count(slices.Min(s)), count(slices.Max(s)))
}

// times is the median of ratios and their range.
func (s spread) times() string {
	return fmt.Sprintf("%.2f × (%.2f–%.2f)", s.median(), slices.Min(s), slices.Max(s))
}

// tenths is the median with one digit after the point, and the range.
func (s spread) tenths() string {
	return fmt.Sprintf("%.1f (%.1f–%.1f)", s.median(), slices.Min(s), slices.Max(s))
}

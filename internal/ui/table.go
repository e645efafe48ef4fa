package ui

import (
	"fmt"
	"io"
	"strings"

	"charm.land/lipgloss/v2"
	"charm.land/lipgloss/v2/table"
)

// Table writes rows under a header, in aligned columns. On a terminal the cells
// are cut to its width; in a pipe nothing is cut, nor padded at the end of a line.
func (p Printer) Table(w io.Writer, header []string, rows [][]string) {
	t := table.New().
		Border(lipgloss.HiddenBorder()).
		BorderTop(false).BorderBottom(false).BorderLeft(false).BorderRight(false).
		BorderHeader(false).BorderColumn(false).
		Wrap(false).
		StyleFunc(func(row, col int) lipgloss.Style {
			style := lipgloss.NewStyle()
			if col < len(header)-1 {
				style = style.PaddingRight(2)
			}
			if row == table.HeaderRow && p.Color {
				style = style.Bold(true)
			}
			return style
		}).
		Headers(header...)
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = Clean(cell)
		}
		t.Row(cells...)
	}
	page := t.String()
	if p.Width > 0 && lipgloss.Width(page) > p.Width {
		page = t.Width(p.Width).String()
	}
	for line := range strings.Lines(page) {
		fmt.Fprintln(w, strings.TrimRight(line, " \n"))
	}
}

// Fields writes names and values in two aligned columns.
func (p Printer) Fields(w io.Writer, fields [][2]string) {
	width := 0
	for _, f := range fields {
		width = max(width, lipgloss.Width(f[0]))
	}
	for _, f := range fields {
		pad := strings.Repeat(" ", width-lipgloss.Width(f[0]))
		fmt.Fprintln(w, p.Faint(f[0])+pad+"  "+f[1])
	}
}

package ui

import (
	"strconv"
	"strings"
	"unicode"

	"charm.land/lipgloss/v2"
)

// Bold is for what to look at first. Like Faint, Good and Bad it leaves the text as
// it is where there are no colours.
func (p Printer) Bold(s string) string { return p.styled(lipgloss.NewStyle().Bold(true), s) }

// Faint is for labels beside what matters.
func (p Printer) Faint(s string) string { return p.styled(lipgloss.NewStyle().Faint(true), s) }

// Good is for what is well.
func (p Printer) Good(s string) string {
	return p.styled(lipgloss.NewStyle().Foreground(lipgloss.Green), s)
}

// Bad is for what is not.
func (p Printer) Bad(s string) string {
	return p.styled(lipgloss.NewStyle().Foreground(lipgloss.Red), s)
}

func (p Printer) styled(style lipgloss.Style, s string) string {
	if !p.Color {
		return s
	}
	return style.Render(s)
}

// Clean makes a text from outside safe to print: what could move the cursor or
// colour the screen is written as an escape such as \n or \x1b.
func Clean(s string) string {
	if !strings.ContainsFunc(s, unprintable) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unprintable(r) {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// CleanLines is Clean for a text that may have several lines.
func CleanLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = Clean(line)
	}
	return strings.Join(lines, "\n")
}

// unprintable holds control characters and those that reorder text.
func unprintable(r rune) bool {
	return unicode.IsControl(r) || r == unicode.ReplacementChar || unicode.Is(unicode.Bidi_Control, r)
}

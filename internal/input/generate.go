package input

import (
	"bytes"
	"errors"
	"io"
)

// Generate makes count entries of a template, or without end where count is 0.
func Generate(t *Template, count int, format Format, maker *Maker) Source {
	return &generated{template: t, count: count, format: format, maker: maker}
}

type generated struct {
	template *Template
	count    int
	made     int
	format   Format
	maker    *Maker
}

func (g *generated) Next() (*Entry, error) {
	if g.count > 0 && g.made == g.count {
		return nil, io.EOF
	}
	g.made++
	value := g.template.Append(nil, g.made)
	if len(bytes.TrimSpace(value)) == 0 && g.format != Raw {
		return nil, &PlaceError{Place{Nth: g.made}, errors.New("is empty")}
	}
	return g.maker.make(Place{Nth: g.made}, value, g.format)
}

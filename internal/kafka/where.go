package kafka

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/decls"
	"github.com/google/cel-go/common/stdlib"
	"github.com/google/cel-go/common/types"
	"github.com/twmb/franz-go/pkg/kgo"
)

// WhereNames are the names in the expression of a Where, for help and errors.
const WhereNames = "event, data, type, key, value, topic, partition, offset, timestamp, headers"

// A Where is a condition on records: a CEL expression (cel.dev) over
//
//	event      the CloudEvent as a map, its data under "data"; an empty map when there is none
//	data       the event's data, or the value where that is JSON but no event; else null
//	type       the event's type, or else its data's event_type; "" when there is none
//	key, value text, bytes when it isn't UTF-8, or null
//	headers    a map; of several with the same name the last
//	topic, partition, offset, timestamp
//
// It is for one goroutine.
type Where struct {
	program cel.Program
	failed  int64
	first   error
}

// A WhereError says what is wrong with an expression, and where.
type WhereError struct {
	Expr         string
	Line, Column int // from 1, in characters
	Reason       string
}

func (e *WhereError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Reason)
}

// CompileWhere returns the condition, or a *WhereError.
func CompileWhere(expr string) (*Where, error) {
	env, err := cel.NewCustomEnv(
		cel.VariableDecls(standardNames()...),
		cel.FunctionDecls(stdlib.Functions()...),
		cel.Macros(cel.StandardMacros...),
		cel.Variable("event", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("data", cel.DynType),
		cel.Variable("type", cel.StringType),
		cel.Variable("key", cel.DynType),
		cel.Variable("value", cel.DynType),
		cel.Variable("headers", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("topic", cel.StringType),
		cel.Variable("partition", cel.IntType),
		cel.Variable("offset", cel.IntType),
		cel.Variable("timestamp", cel.TimestampType),
	)
	if err != nil {
		return nil, fmt.Errorf("make CEL environment: %w", err)
	}
	ast, issues := env.Compile(expr)
	if errs := issues.Errors(); len(errs) > 0 {
		at := errs[0].Location
		return nil, &WhereError{Expr: expr, Line: max(at.Line(), 1), Column: max(at.Column(), 0) + 1, Reason: strings.TrimSuffix(errs[0].Message, " (in container '')")}
	}
	if kind := ast.OutputType(); !kind.IsExactType(cel.BoolType) && !kind.IsExactType(cel.DynType) {
		return nil, &WhereError{Expr: expr, Line: 1, Column: 1, Reason: fmt.Sprintf("is a %s, not true or false", kind)}
	}
	program, err := env.Program(ast, cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, &WhereError{Expr: expr, Line: 1, Column: 1, Reason: err.Error()}
	}
	return &Where{program: program}, nil
}

// standardNames are the names of CEL's standard library without "type", which is a
// variable here.
func standardNames() []*decls.VariableDecl {
	return slices.DeleteFunc(slices.Clone(stdlib.Types()), func(d *decls.VariableDecl) bool { return d.Name() == "type" })
}

// Failures returns how many records the condition could not be worked out for, which
// don't match then, and why not for the first of them.
func (w *Where) Failures() (int64, error) { return w.failed, w.first }

func (w *Where) match(r *kgo.Record) bool {
	result, _, err := w.program.Eval(&variables{record: r})
	if err == nil {
		if result.Type() == types.BoolType {
			return result == types.True
		}
		err = fmt.Errorf("is a %s, not true or false", result.Type().TypeName())
	}
	if w.failed++; w.first == nil {
		w.first = fmt.Errorf("%s[%d]@%d: %w", r.Topic, r.Partition, r.Offset, err)
	}
	return false
}

// variables are a record's, each worked out when the expression asks for it.
type variables struct {
	record *kgo.Record
	event  map[string]any
}

// Parent is for cel.Activation: there are no other variables.
func (v *variables) Parent() cel.Activation { return nil }

// ResolveName is for cel.Activation.
func (v *variables) ResolveName(name string) (any, bool) {
	r := v.record
	switch name {
	case "event":
		return v.cloudEvent(), true
	case "data":
		return v.data(), true
	case "type":
		a := readAbout(r)
		if a.event.Type != "" {
			return a.event.Type, true
		}
		return a.kind, true
	case "key":
		return textOrBytes(r.Key), true
	case "value":
		return textOrBytes(r.Value), true
	case "headers":
		headers := make(map[string]any, len(r.Headers))
		for _, h := range r.Headers {
			headers[h.Key] = textOrBytes(h.Value)
		}
		return headers, true
	case "topic":
		return r.Topic, true
	case "partition":
		return int64(r.Partition), true
	case "offset":
		return r.Offset, true
	case "timestamp":
		return r.Timestamp, true
	}
	return nil, false
}

func (v *variables) data() any {
	if data, ok := v.cloudEvent()["data"]; ok {
		return data
	}
	if len(v.event) > 0 {
		return nil
	}
	return jsonValue(v.record.Value)
}

// cloudEvent is the event as a map, whichever mode it came in.
func (v *variables) cloudEvent() map[string]any {
	if v.event != nil {
		return v.event
	}
	v.event = make(map[string]any)
	r := v.record
	if e, ok := binaryEvent(r); ok {
		for _, h := range r.Headers {
			if name := attributeName(h.Key); name != "" {
				v.event[name] = textOrBytes(h.Value)
			}
		}
		v.event["data"] = dataValue(e.Data)
		return v.event
	}
	e, ok := structuredEvent(r.Value)
	if !ok {
		return v.event
	}
	if object, ok := jsonValue(r.Value).(map[string]any); ok {
		v.event = object
		if _, encoded := object["data_base64"]; encoded {
			v.event["data"] = dataValue(e.Data)
		}
	}
	return v.event
}

// dataValue is what data means: JSON where it is that, else text or bytes.
func dataValue(data []byte) any {
	if v := jsonValue(data); v != nil {
		return v
	}
	return textOrBytes(data)
}

func textOrBytes(b []byte) any {
	switch {
	case b == nil:
		return nil
	case utf8.Valid(b):
		return string(b)
	}
	return b
}

// jsonValue is the JSON as CEL knows it, with integers as such; nil when it is none.
func jsonValue(text []byte) any {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil
	}
	return withIntegers(v)
}

func withIntegers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64() // beyond what a float can be: infinite
		return f
	case map[string]any:
		for key, member := range v {
			v[key] = withIntegers(member)
		}
	case []any:
		for i, item := range v {
			v[i] = withIntegers(item)
		}
	}
	return v
}

package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/todoctl/todoctl/internal/kafka"
)

// filterFlags say which events are wanted.
type filterFlags struct {
	types, tasks, keys, headers []string
	grep, since, until, where   string
}

func (f *filterFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&f.types, "type", nil, "only events of this type: task.created, task_created or created; repeat it for several")
	flags.StringArrayVar(&f.tasks, "task", nil, "only events about the task with this id; repeat it for several")
	flags.StringArrayVar(&f.keys, "key", nil, "only events with this key; repeat it for several")
	flags.StringArrayVar(&f.headers, "header", nil, "only events with this header, NAME=VALUE or NAME; repeated, with all of them")
	flags.StringVarP(&f.grep, "grep", "G", "", "only events with a match of this regular expression in key, value or a header")
	flags.StringVar(&f.where, "where", "", "only events for which this CEL expression holds")
	completeWords(cmd, "type", "task.created", "task.updated", "task.completed", "task.reopened", "task.deleted")
}

// addTimes adds what replay has no use for: its range has times.
func (f *filterFlags) addTimes(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.since, "since", "", "only events from this time on: "+kafka.TimeForms)
	cmd.Flags().StringVar(&f.until, "until", "", "only events before this time; stops at the present end")
}

// words are the flags that are given, but for the times.
func (f *filterFlags) words() []string {
	var words []string
	for _, flag := range []struct {
		name   string
		values []string
	}{
		{"type", f.types}, {"task", f.tasks}, {"key", f.keys}, {"header", f.headers},
		{"grep", []string{f.grep}}, {"where", []string{f.where}},
	} {
		for _, value := range flag.values {
			if value != "" {
				words = append(words, flag.name+"="+value)
			}
		}
	}
	return words
}

// given tells whether there is a filter at all.
func (f *filterFlags) given() bool {
	return len(f.types)+len(f.tasks)+len(f.keys)+len(f.headers) > 0 || f.grep+f.since+f.until+f.where != ""
}

func (f *filterFlags) filter(now time.Time) (kafka.Filter, error) {
	k := kafka.Filter{Types: f.types, Tasks: f.tasks, Keys: f.keys}
	for name, values := range map[string][]string{"type": f.types, "task": f.tasks, "header": f.headers} {
		if slices.Contains(values, "") {
			return k, usagef("--%s is empty", name)
		}
	}
	for _, h := range f.headers {
		key, value, found := strings.Cut(h, "=")
		want := kafka.HeaderFilter{Key: key}
		if found {
			want.Value = &value
		}
		k.Headers = append(k.Headers, want)
	}
	var errs [4]error
	if f.grep != "" {
		k.Grep, errs[0] = regexp.Compile(f.grep)
	}
	k.Since, errs[1] = moment(f.since, now)
	k.Until, errs[2] = moment(f.until, now)
	if f.where != "" {
		k.Where, errs[3] = kafka.CompileWhere(f.where)
	}
	for i, flag := range []string{"grep", "since", "until", "where"} {
		if errs[i] != nil {
			return k, usagef("--%s: %w", flag, pointed(errs[i]))
		}
	}
	if !k.Since.IsZero() && !k.Until.IsZero() && !k.Since.Before(k.Until) {
		return k, usagef("--since %s is not before --until %s", f.since, f.until)
	}
	return k, nil
}

func moment(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	return kafka.ParseTime(text, now)
}

// pointed shows below the error where in the expression it is.
func pointed(err error) error {
	var where *kafka.WhereError
	if !errors.As(err, &where) {
		return err
	}
	lines := strings.Split(where.Expr, "\n")
	line := lines[min(where.Line, len(lines))-1]
	return fmt.Errorf("%w\n  %s\n  %s^\nnames are %s", err, line, strings.Repeat(" ", where.Column-1), kafka.WhereNames)
}

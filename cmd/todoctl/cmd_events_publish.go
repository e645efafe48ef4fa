package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/todoctl/todoctl/internal/input"
	"github.com/todoctl/todoctl/internal/schema"
)

// publishFlags are what publish is told.
type publishFlags struct {
	topic string

	// What to publish.
	data, sample     string
	files            []string
	input, keyColumn string
	count            int

	// What it becomes.
	kind, key     string
	headers       []string
	partition     int32
	keepPartition bool

	// How it is sent.
	direct, noValidate, keepGoing, dryRun bool
	compression                           string
	rate                                  float64
}

func (a *app) eventsPublishCommand() *cobra.Command {
	var f publishFlags
	cmd := &cobra.Command{
		Use: "publish [TOPIC]", Short: "Publish events, through the sidecar or straight to Kafka",
		Long: `Publish events: --data, a --sample, the lines of files (-f) or of standard input. They go
through the Dapr sidecar, as the task API's do, or with --direct straight to the broker.
The events of one key stay in order.

Input (--input):
  auto   as json if a line is one of 'events tail --json', else as lines; a .csv file as csv
  lines  a JSON value a line: a CloudEvent, which goes out as it is, or the data of a new one
  json   lines of 'events tail --json': key, headers, value and timestamp as they were, and
         the topic if none is given
  csv    a header, then the data of an event a row. A cell that is a JSON number, true or
         false is one in the data, an empty cell is left out, all else is text; so is every
         cell of a column that the header calls NAME:text
  raw    a line is a record's value, the bytes as they are

Dapr carries CloudEvents with a key and nothing else: headers and timestamps are left out,
any other value becomes the data of a new CloudEvent, tombstones and keys that aren't
UTF-8 are refused. --direct keeps all of it.

--data, --key and the values of --header are templates: ` + input.TemplateForms + `.
Events of a type that 'events schema list' has are checked before they are sent.
The first line that is wrong ends it: those before it are sent, none after it.`,
		Example: `  todoctl events publish --sample task.created
  todoctl events publish task-events --sample task.created --count 1000 --rate 50
  todoctl events publish my-topic --type order.placed --key 7 --data '{"id":"{{uuid}}","n":{{randInt 1 9}}}'
  todoctl events publish task-events < events.jsonl
  todoctl events tail task-events -o start -e --json | todoctl events publish copy --direct
  todoctl events publish my-topic -f people.csv --key-column id --type person.seen`,
		Args:              args(cobra.MaximumNArgs(1)),
		ValidArgsFunction: a.completeTopics,
		RunE: func(cmd *cobra.Command, words []string) error {
			f.topic = strings.Join(words, "")
			return a.runPublish(cmd, f)
		},
	}
	brokerFlags(cmd, "data-dir", "dapr-http-port", "dapr-grpc-port", "pubsub")
	f.add(cmd)
	return cmd
}

func (f *publishFlags) add(cmd *cobra.Command) {
	formats, types := formatNames(), schema.Names()
	flags := cmd.Flags()
	flags.StringVar(&f.data, "data", "", "the event")
	flags.StringVar(&f.sample, "sample", "", "a sample event, to its own topic if none is given: "+strings.Join(types, ", "))
	flags.StringArrayVarP(&f.files, "file", "f", nil, "read this file, - is standard input; repeat it for several")
	flags.StringVar(&f.input, "input", string(input.Auto), strings.Join(formats, ", "))
	flags.StringVar(&f.keyColumn, "key-column", "", "column of a CSV that has the Kafka keys")
	flags.IntVar(&f.count, "count", 1, "this many events of --data or --sample; 0 is no end")
	flags.StringVar(&f.kind, "type", "", "CloudEvent type (default the data's event_type, else test)")
	flags.StringVarP(&f.key, "key", "k", "", "Kafka key (default the CloudEvent's partitionkey)")
	flags.StringArrayVarP(&f.headers, "header", "H", nil, "add a header NAME=VALUE; repeat it for several (--direct)")
	flags.Int32VarP(&f.partition, "partition", "p", -1, "to this partition, whatever the key (--direct)")
	flags.BoolVar(&f.keepPartition, "keep-partition", false, "to the partition that a line of tail's names (--direct)")
	flags.BoolVar(&f.direct, "direct", false, "straight to Kafka, without the sidecar")
	flags.StringVarP(&f.compression, "compression", "z", "snappy", "none, gzip, snappy, lz4 or zstd (--direct)")
	flags.Float64Var(&f.rate, "rate", 0, "at most this many events a second; 0 is no limit")
	flags.BoolVar(&f.noValidate, "no-validate", false, "send events that aren't as their schema says")
	flags.BoolVar(&f.keepGoing, "keep-going", false, "pass over what is wrong, and exit 1 at the end")
	flags.BoolVar(&f.dryRun, "dry-run", false, "print what would be sent, as 'events tail --json' does")
	completeWords(cmd, "sample", types...)
	completeWords(cmd, "input", formats...)
	completeWords(cmd, "compression", compressions()...)
}

func formatNames() []string {
	var names []string
	for _, format := range input.Formats() {
		names = append(names, string(format))
	}
	return names
}

// check refuses what doesn't go together.
func (f *publishFlags) check(cmd *cobra.Command) error {
	given := cmd.Flags().Changed
	sources := 0
	for _, flag := range []string{"data", "sample", "file"} {
		if given(flag) {
			sources++
		}
	}
	switch {
	case sources > 1:
		return usagef("--data, --sample and --file all say what to publish: give one")
	case given("sample") && !slices.Contains(schema.Names(), f.sample):
		return usagef("--sample %q: must be one of %s", f.sample, strings.Join(schema.Names(), ", "))
	case !slices.Contains(formatNames(), f.input):
		return usagef("--input %q: must be one of %s", f.input, strings.Join(formatNames(), ", "))
	case given("data") && (f.input == string(input.CSV) || f.input == string(input.JSON)):
		return usagef("--input %s is for files and standard input: --data is one value", f.input)
	case given("count") && !given("data") && !given("sample"):
		return usagef("--count is for --data and --sample; of files and standard input all is published")
	case f.count < 0 || f.rate < 0:
		return usagef("--count and --rate can't be negative")
	case !slices.Contains(compressions(), f.compression):
		return usagef("--compression %q: must be one of %s", f.compression, strings.Join(compressions(), ", "))
	case given("partition") && f.partition < 0:
		return usagef("--partition %d: partitions count from 0", f.partition)
	case given("partition") && f.keepPartition:
		return usagef("--partition and --keep-partition both say which partition: give one")
	}
	return f.checkDirect(cmd)
}

// checkDirect refuses what only --direct can do.
func (f *publishFlags) checkDirect(cmd *cobra.Command) error {
	if f.direct {
		return nil
	}
	for _, flag := range []string{"header", "partition", "keep-partition", "compression"} {
		if cmd.Flags().Changed(flag) {
			return usagef("--%s needs --direct: Dapr carries a CloudEvent and its key, and its component says the rest", flag)
		}
	}
	return nil
}

// maker is what makes records as the flags say.
func (f *publishFlags) maker() (*input.Maker, error) {
	m := &input.Maker{Topic: f.topic, Type: f.kind, Source: "todoctl", KeepPartition: f.keepPartition}
	if f.key != "" {
		key, err := input.ParseTemplate(f.key)
		if err != nil {
			return nil, usagef("--key %q: %w", f.key, err)
		}
		m.Key = key
	}
	for _, header := range f.headers {
		name, value, found := strings.Cut(header, "=")
		if !found || name == "" {
			return nil, usagef("--header %q: must be NAME=VALUE", header)
		}
		template, err := input.ParseTemplate(value)
		if err != nil {
			return nil, usagef("--header %q: %w", header, fmt.Errorf("the value: %w", err))
		}
		m.Headers = append(m.Headers, input.Header{Key: name, Value: template})
	}
	return m, nil
}

package kafka_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/kafka"
)

func kcat(t *testing.T, o kafka.Options, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("kcat")
	if err != nil && os.Getenv("CI") != "" {
		t.Fatal("kcat is not installed")
	}
	if err != nil {
		t.Skip("kcat is not installed")
	}
	cmd := exec.CommandContext(t.Context(), path, append([]string{"-q", "-b", o.Brokers[0]}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("kcat %q: %v: %s", args, err, stderr.Bytes())
	}
	return string(out)
}

// laid returns what a tail that ends by itself prints in a layout.
func laid(t *testing.T, o kafka.Options, opts kafka.TailOptions, layout string) string {
	t.Helper()
	format, err := kafka.NewLayout(layout)
	if err != nil {
		t.Fatal(err)
	}
	opts.Topics, opts.ExitAtEnd = []string{"t"}, true
	var out []byte
	err = kafka.Tail(t.Context(), o, opts, func(records []*kgo.Record) error {
		for _, r := range records {
			out = format(out, r)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// Where kcat has the same form of an offset, it reads the same records.
func TestOffsetsAsKcat(t *testing.T) {
	_, o := cluster(t, 1)
	cl := client(t, o, manual())
	for i := range 20 {
		produce(t, cl, record(0, i, fmt.Sprint("v", i)))
	}
	milli := func(sec int) string { return fmt.Sprint(epoch.UnixMilli() + int64(sec)*1000) }
	for ours, theirs := range map[string][]string{
		"start":                         {"beginning"},
		"beginning":                     {"beginning"},
		"end":                           {"end"},
		"0":                             {"0"},
		"7":                             {"7"},
		"-4":                            {"-4"},
		"-100":                          {"-100"},
		"@" + milli(5):                  {"s@" + milli(5)},
		"@" + milli(30):                 {"s@" + milli(30)},
		"@:" + milli(5):                 {"beginning", "e@" + milli(5)},
		"@" + milli(3) + ":" + milli(9): {"s@" + milli(3), "e@" + milli(9)},
	} {
		t.Run(ours, func(t *testing.T) {
			args := []string{"-C", "-e", "-t", "t", "-p", "0", "-f", `%p/%o %s\n`}
			for _, offset := range theirs {
				args = append(args, "-o", offset)
			}
			equal(t, laid(t, o, kafka.TailOptions{Range: rng(t, ours)}, `%p/%o %s\n`), kcat(t, o, args...))
		})
	}
}

// A layout that both know prints the same, whatever a record holds.
func TestLayoutsAsKcat(t *testing.T) {
	_, o := cluster(t, 1)
	produce(t, client(t, o, manual()),
		&kgo.Record{Topic: "t", Key: []byte("k"), Value: []byte("v"), Timestamp: epoch},
		&kgo.Record{Topic: "t", Key: []byte{0xff, 0}, Value: []byte{0, 1, 0xfe, '\n'}, Timestamp: epoch},
		&kgo.Record{Topic: "t", Timestamp: epoch},
		&kgo.Record{Topic: "t", Key: []byte{}, Value: bytes.Repeat([]byte("x"), 900_000), Timestamp: epoch},
	)
	for _, layout := range []string{`%t [%p] at offset %o: key %k: %s\n`, `\t%s\x41%%`, `%s`} {
		want := kcat(t, o, "-C", "-e", "-t", "t", "-p", "0", "-o", "beginning", "-f", layout)
		if got := laid(t, o, kafka.TailOptions{}, layout); got != want {
			t.Errorf("%s: got %d bytes, kcat has %d", layout, len(got), len(want))
		}
	}
}

// Both follow a group to the same place.
func TestGroupAsKcat(t *testing.T) {
	_, o := cluster(t, 3)
	cl := client(t, o, manual())
	for i := range 9 {
		produce(t, cl, record(int32(i%3), i, fmt.Sprint("v", i)))
	}
	equal(t, len(tailed(t, o, kafka.TailOptions{Group: "g", ExitAtEnd: true, Num: 5})), 5)
	rest := strings.Fields(kcat(t, o, "-e", "-f", `%s\n`, "-X", "auto.offset.reset=earliest", "-G", "g", "t"))
	equal(t, len(rest), 4)
	produce(t, cl, record(0, 10, "v9"))
	equal(t, tailed(t, o, kafka.TailOptions{Group: "g", ExitAtEnd: true}), []string{"v9"})
	slices.Sort(rest)
	if len(slices.Compact(rest)) != 4 {
		t.Errorf("kcat read some twice: %q", rest)
	}
}

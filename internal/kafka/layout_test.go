package kafka_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/kafka"
)

func TestLayout(t *testing.T) {
	r := &kgo.Record{
		Topic: "t", Partition: 2, Offset: 7, Key: []byte("k"), Value: []byte("val"), Timestamp: epoch,
		Headers: []kgo.RecordHeader{header("a", "1"), header("a", "2")},
	}
	for layout, want := range map[string]string{
		`%t[%p]@%o %k %v\n`:                      "t[2]@7 k val\n",
		`%s\n`:                                   "val\n",
		`%s%s{base64} %S`:                        "",
		`%s%s{base64}`:                           "valdmFs",
		`%%s \\%s`:                               `%s \val`,
		`%H %h{%k=%s }|%h{%k=%v;}`:               "2 a=1 a=2 |a=1;a=2;",
		`%d`:                                     "1771329600000",
		`%d{go##2006-01-02T15:04:05Z07:00##} %s`: "2026-02-17T12:00:00Z val",
		`%d{strftime[%F %s]} %s`:                 "2026-02-17 1771329600 val",
		`%d{strftime{{%s}}}%s`:                   "1771329600val",
		`%K%V\t\x41`:                             "13\tA",
		"%v{hex}é":                               "76616cé",
		"":                                       "",
		`%`:                                      "",
		`%z`:                                     "",
		`%v{`:                                    "",
		`\q`:                                     "",
		`%d{go[2006`:                             "",
		"\xff":                                   "",
	} {
		format, err := kafka.NewLayout(layout)
		if err != nil {
			if want != "" {
				t.Errorf("%s: %v", layout, err)
			}
			continue
		}
		equal(t, string(format(nil, r)), want)
	}
}

// A layout is taken exactly when franz-go takes it, %s aside, and gives the same.
func FuzzLayout(f *testing.F) {
	for _, s := range []string{
		`%t[%p]@%o %k %v\n`, `%s`, `%%s`, `\\%s`, `%d{go##2006##}%s`, `%d{strftime[%F %s]}`, `%A{go[%s]}`, `%d{hex}`, `%h{%s}`,
		`%v{unpack[<bBhH>iIqQc.$]}`, `%a{compression;hex8}`, `%`, `\`, `%d{`, `%d{go`, `%[%|%]`, "%é", "\x80",
	} {
		f.Add(s)
	}
	r := &kgo.Record{Topic: "t", Key: []byte("k"), Value: []byte("some value"), Timestamp: epoch, Headers: []kgo.RecordHeader{header("a", "1")}}
	f.Fuzz(func(t *testing.T, layout string) {
		format, err := kafka.NewLayout(layout)
		if strings.Contains(layout, "%s") || !utf8.ValidString(layout) {
			if err == nil {
				format(nil, r)
			}
			return
		}
		want, wantErr := kgo.NewRecordFormatter(layout)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: %v, franz-go: %v", layout, err, wantErr)
		}
		if err == nil {
			equal(t, string(format(nil, r)), string(want.AppendRecord(nil, r)))
		}
	})
}

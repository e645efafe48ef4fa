package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/dlq"
	"github.com/todoctl/todoctl/internal/kafka"
	"github.com/todoctl/todoctl/internal/schema"
	"github.com/todoctl/todoctl/internal/stack"
)

// editLetter opens the payload of a job's only letter in the user's editor and returns
// what became of it. What can't be sent is kept in its file.
func (a *app) editLetter(ctx context.Context, job *dlq.Job, f redriveFlags) ([]byte, error) {
	letter, err := job.Only(ctx)
	if err != nil {
		return nil, err
	}
	before := letter.Payload()
	file, err := writeTemp(indented(before))
	if err != nil {
		return nil, err
	}
	after, err := a.edited(ctx, file, before, letter.Event.ID, f)
	if err != nil {
		return nil, fmt.Errorf("%w; the text is kept in %s", err, file)
	}
	return after, os.Remove(file)
}

func writeTemp(text []byte) (string, error) {
	file, err := os.CreateTemp("", "todoctl-event-*.json")
	if err != nil {
		return "", err
	}
	_, err = file.Write(text)
	return file.Name(), errors.Join(err, file.Close())
}

func (a *app) edited(ctx context.Context, file string, before []byte, id string, f redriveFlags) ([]byte, error) {
	editor := cmp.Or(a.env("VISUAL"), a.env("EDITOR"), "vi")
	if err := stack.Edit(ctx, editor, file, a.stdin, a.stderr, a.stderr); err != nil {
		return nil, err
	}
	after, err := a.readFile(file)
	if err != nil {
		return nil, err
	}
	if bytes.Equal(bytes.TrimSpace(after), bytes.TrimSpace(indented(before))) {
		if !f.yes {
			if err := a.confirm(ctx, "nothing was changed; redrive it as it is"); err != nil {
				return nil, err
			}
		}
		return before, nil
	}
	var line bytes.Buffer
	if err := json.Compact(&line, after); err == nil {
		after = line.Bytes()
	}
	return after, checkEdited(after, id, f.noValidate)
}

// checkEdited refuses what is no valid event, and one that has got another id: that is
// how consumers know what they have seen.
func checkEdited(after []byte, id string, noValidate bool) error {
	event, ok := kafka.ParseEvent(&kgo.Record{Value: after})
	if id != "" && event.ID != id {
		return fmt.Errorf("the event's id is %q now, and was %q: it must stay", event.ID, id)
	}
	if noValidate {
		return nil
	}
	if !ok {
		return errors.New("it is no CloudEvent in JSON; --no-validate sends it all the same")
	}
	schemas, err := schema.Load()
	if err != nil {
		return err
	}
	if found := schemas.Check(event.Type, after); found != nil {
		return invalid(event.Type, found)
	}
	return nil
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
)

// answerTimeout bounds the wait for one answer.
const answerTimeout = 30 * time.Second

// body is the task that every contender creates.
const body = `{"title":"Buy groceries for the week","priority":"high","tags":["home"]}`

// A client sends one request again and again over a connection that is kept alive,
// each after the answer to the one before. It knows as much of HTTP/1.1 as that
// needs: net/http's client takes more of the machine than the server that is to be
// measured.
type client struct {
	conn    net.Conn
	request []byte
	buffer  []byte
}

func dial(ctx context.Context, addr string) (*client, error) {
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	request := fmt.Appendf(nil, "POST /api/u1/tasks HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", addr, len(body), body)
	return &client{conn: conn, request: request, buffer: make([]byte, 16<<10)}, nil
}

// post creates a task and returns its id.
func (c *client) post() (int64, error) {
	if err := c.conn.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return 0, err
	}
	if _, err := c.conn.Write(c.request); err != nil {
		return 0, err
	}
	status, answer, err := c.read()
	if err != nil {
		return 0, err
	}
	if status != "201" {
		return 0, &refusal{status, fmt.Sprintf("%.200s", answer)}
	}
	return taskID(answer)
}

// A refusal is an answer that isn't 201; the connection is as good as before.
type refusal struct{ status, text string }

func (r *refusal) Error() string { return "status " + r.status + ": " + r.text }

// read reads one answer: its status and its body, valid until the next one.
func (c *client) read() (status string, answer []byte, err error) {
	n, end, length := 0, -1, 0
	for end < 0 || n < end+length {
		if n == len(c.buffer) {
			return "", nil, errors.New("the answer is too long")
		}
		more, err := c.conn.Read(c.buffer[n:])
		if err != nil {
			return "", nil, err
		}
		n += more
		if end >= 0 {
			continue
		}
		if i := bytes.Index(c.buffer[:n], []byte("\r\n\r\n")); i >= 0 {
			end = i + 4
			if status, length, err = head(c.buffer[:end]); err != nil {
				return "", nil, err
			}
		}
	}
	return status, c.buffer[end : end+length], nil
}

// head reads the status and the length of the body from an answer's head.
func head(head []byte) (status string, length int, err error) {
	line, rest, _ := bytes.Cut(head, []byte("\r\n"))
	if len(line) < len("HTTP/1.1 200") || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return "", 0, fmt.Errorf("no HTTP/1.1 answer: %.80q", line)
	}
	name := []byte("content-length")
	for len(rest) > 0 {
		var field []byte
		field, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		if len(field) > len(name) && field[len(name)] == ':' && bytes.EqualFold(field[:len(name)], name) {
			length, err = strconv.Atoi(string(bytes.TrimSpace(field[len(name)+1:])))
			return string(line[9:12]), length, err
		}
	}
	return "", 0, fmt.Errorf("an answer without Content-Length: %.80q", line)
}

// taskID is the field id of the answered task.
func taskID(answer []byte) (int64, error) {
	_, rest, ok := bytes.Cut(answer, []byte(`"id":`))
	n := 0
	for n < len(rest) && '0' <= rest[n] && rest[n] <= '9' {
		n++
	}
	id, err := strconv.ParseInt(string(rest[:n]), 10, 64)
	if !ok || err != nil {
		return 0, fmt.Errorf("no id in the answer %.200s", answer)
	}
	return id, nil
}

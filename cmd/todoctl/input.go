package main

import (
	"fmt"
	"io"
	"os"
)

// maxFile bounds the files that are read whole.
const maxFile = 16 << 20

// readFile reads a file; "-" is stdin.
func (a *app) readFile(name string) ([]byte, error) {
	in := a.stdin
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		in = file
	}
	data, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", a.fileName(name), err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s has more than %d MiB", a.fileName(name), maxFile>>20)
	}
	return data, nil
}

func (a *app) fileName(name string) string {
	if name == "-" {
		return "stdin"
	}
	return name
}

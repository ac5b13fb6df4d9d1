package discover

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
)

// maxFile is the maximum size of a file of addresses in bytes.
const maxFile = 1 << 20

// File is a Source of the addresses in a file of at most 1 MiB, which another program may replace at any time. Each
// line is "host:port", or "host" if Port is set. Empty lines and everything after a # are ignored.
type File struct {
	Path string
	// Port is the port for lines without one. If it is zero, such a line is an error.
	Port int
}

// String returns the URL that Parse accepts.
func (f *File) String() string {
	if f.Port != 0 {
		return fmt.Sprintf("file://%s?port=%d", f.Path, f.Port)
	}
	return "file://" + f.Path
}

// Find reads the file. If a line is not an address, the error names the line.
func (f *File) Find(context.Context) ([]string, error) {
	content, err := readLimited(f.Path, maxFile)
	if err != nil {
		return nil, err
	}
	var found []string
	lines := bufio.NewScanner(bytes.NewReader(content))
	for number := 1; lines.Scan(); number++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if strings.ContainsAny(line, " \t,") {
			return nil, fmt.Errorf("%s:%d: %q is more than one address", f.Path, number, line)
		}
		address, err := withPort(line, f.Port)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", f.Path, number, err)
		}
		found = append(found, address)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	return found, nil
}

// readLimited reads a file of at most most bytes.
func readLimited(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(content)) > limit {
		return nil, fmt.Errorf("%s has more than %d bytes", path, limit)
	}
	return content, nil
}

package discover

import (
	"context"
	"fmt"
	"io"
	"log"
	"strings"
)

// GoDiscover returns a Source of the addresses that hashicorp/go-discover finds in a cloud. addrs is the method Addrs
// of its Discover, so this package does not depend on the SDKs of all clouds, and a program chooses its providers:
//
//	clouds, err := godiscover.New() // github.com/hashicorp/go-discover
//	...
//	source := discover.GoDiscover(clouds.Addrs, "provider=aws tag_key=role tag_value=gossip", 6969)
//
// args are those of go-discover. port is added to addresses without a port. The name of the source shows only the
// provider, because args may hold credentials. The log of go-discover is dropped.
//
// Addrs takes no context: see Uncancellable.
func GoDiscover(addrs func(args string, l *log.Logger) ([]string, error), args string, port int) Source {
	quiet := log.New(io.Discard, "", 0)
	name := "go-discover"
	for field := range strings.FieldsSeq(args) {
		if provider, ok := strings.CutPrefix(field, "provider="); ok {
			name += " " + provider
		}
	}
	return &withPorts{port: port, Source: Uncancellable(name, func() ([]string, error) { return addrs(args, quiet) })}
}

// withPorts is a Source that adds a port to addresses without one.
type withPorts struct {
	Source
	port int
}

func (s *withPorts) Find(ctx context.Context) ([]string, error) {
	found, err := s.Source.Find(ctx)
	if err != nil {
		return nil, err
	}
	for i := range found {
		if found[i], err = withPort(found[i], s.port); err != nil {
			return nil, fmt.Errorf("%s: %w", s, err)
		}
	}
	return found, nil
}

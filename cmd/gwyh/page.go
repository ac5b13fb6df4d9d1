package main

import (
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/gwyh-go/gwyh/statuspage"
)

// A page is the status page of a node of a demo.
type page struct {
	addr   net.Addr
	server *http.Server
}

// serve serves the status page of a node.
func serve(address string, n statuspage.Source) (*page, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("-http: %w", err)
	}
	p := &page{addr: listener.Addr(), server: &http.Server{Handler: statuspage.Handler(n), ReadHeaderTimeout: 10 * time.Second}}
	go func() { _ = p.server.Serve(listener) }() // until close
	return p, nil
}

func (p *page) close() { _ = p.server.Close() }

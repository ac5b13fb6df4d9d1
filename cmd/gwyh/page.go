package main

import (
	"bytes"
	"context"
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
func serve(address string, n *node) (*page, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("-http: %w", err)
	}
	p := &page{addr: listener.Addr(), server: &http.Server{Handler: statuspage.Handler(n.Memberlist), ReadHeaderTimeout: 10 * time.Second}}
	go func() { _ = p.server.Serve(listener) }() // until close
	return p, nil
}

func (p *page) close() { _ = p.server.Close() }

// goOn has random nodes broadcast, one a second, until ctx ends.
func (d *demo) goOn(ctx context.Context) error {
	d.watched = true
	d.screen.title("4. Look at the page: the cluster goes on until ^C")
	message := bytes.Repeat([]byte{0xff}, d.size) // the ledger has no such message: it would grow for as long as somebody looks
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			n := d.cluster.nodes[d.rng.IntN(len(d.cluster.nodes))]
			if err := n.Broadcast(message); err != nil {
				return err
			}
		}
	}
}

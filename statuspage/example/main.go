// Command example runs five nodes on loopback that send a message each second, and serves the page of the first one.
// One of the other nodes repeatedly crashes after 20 s and comes back 20 s later.
//
//	go run ./statuspage/example
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os/signal"
	"syscall"
	"time"

	"github.com/gwyh-go/gwyh"
	"github.com/gwyh-go/gwyh/statuspage"
)

func main() {
	at := flag.String("http", "127.0.0.1:8080", "address of the page")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, stop, *at); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, stop func(), at string) error {
	var nodes []*gwyh.Memberlist
	defer func() {
		for _, n := range nodes {
			_ = n.Shutdown()
		}
	}()
	for i, name := range []string{"ann", "bob", "cleo", "dora", "emil"} {
		seed := ""
		if i > 0 {
			seed = nodes[0].LocalNode().Address()
		}
		n, err := start(name, fmt.Sprintf("zone-%d", i%3), 0, seed)
		if err != nil {
			return err
		}
		nodes = append(nodes, n)
	}
	listener, err := net.Listen("tcp", at)
	if err != nil {
		return err
	}
	fmt.Printf("the page of ann: http://%s/\n", listener.Addr())
	server := &http.Server{Handler: statuspage.Handler(nodes[0]), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		work(ctx, nodes)
	}()
	defer func() { // runs before the nodes shut down
		stop()
		<-ended
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// start starts a node on loopback.
func start(name, zone string, port int, seed string) (*gwyh.Memberlist, error) {
	c := gwyh.DefaultLANConfig()
	c.Name, c.Zone, c.BindAddr, c.BindPort, c.LogOutput = name, zone, "127.0.0.1", port, io.Discard
	c.SecretKey = []byte("an example: not a secret at all!")
	n, err := gwyh.Create(c)
	if err != nil || seed == "" {
		return n, err
	}
	_, err = n.Join([]string{seed})
	return n, err
}

// work sends messages and makes the last node crash and come back. It owns all nodes except the first.
func work(ctx context.Context, nodes []*gwyh.Memberlist) {
	last := len(nodes) - 1
	for i := 1; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
		_ = nodes[1+i%(last-1)].Broadcast(fmt.Appendf(nil, "message %d", i))
		switch i % 40 {
		case 20:
			_ = nodes[last].Shutdown()
		case 0:
			port := int(nodes[last].LocalNode().Port)
			if n, err := start("emil", "zone-1", port, nodes[0].LocalNode().Address()); err == nil {
				nodes[last] = n
			}
		}
	}
}

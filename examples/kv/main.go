// Kv is a key-value map that every node stores. It is written as a program for hashicorp/memberlist, and also runs
// with that library if the import is changed.
//
//	kv -name ann -http 127.0.0.1:8001 -bind 127.0.0.1:7001
//	kv -name bob -http 127.0.0.1:8002 -bind 127.0.0.1:7002 -join 127.0.0.1:7001
//
//	curl -X PUT --data hello 127.0.0.1:8001/kv/greeting
//	curl 127.0.0.1:8002/kv/greeting
//
// A write is broadcast as a message. A node that misses a message, for example while it is down, gets the entry in a
// state exchange: when it joins, and periodically after that.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	log.SetFlags(0)
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	name := flag.String("name", "kv", "name of this node")
	bind := flag.String("bind", "127.0.0.1:0", "address for gossip")
	listen := flag.String("http", "127.0.0.1:0", "address for HTTP")
	join := flag.String("join", "", "addresses of other nodes, separated by commas")
	key := flag.String("key", "", "key of the cluster: 16, 24 or 32 bytes (default none: anybody can join)")
	flag.Parse()

	web, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	node := &node{name: *name, http: web.Addr().String()}
	if err := node.start(*bind, *key); err != nil {
		return err
	}
	if *join != "" {
		if _, err := node.list.Join(strings.Split(*join, ",")); err != nil {
			log.Print(err) // the other nodes may start later and join this one
		}
	}
	fmt.Printf("gossip at %s\nhttp at %s\n", node.list.LocalNode().Address(), web.Addr())

	server := &http.Server{Handler: node.handler(), ReadHeaderTimeout: 10 * time.Second}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(web); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return errors.Join(node.list.Leave(time.Second), node.list.Shutdown())
}

// handler returns the HTTP handler of the node: GET, PUT and DELETE of /kv/KEY, and GET of /members.
func (n *node) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /kv/{key...}", func(w http.ResponseWriter, r *http.Request) {
		value, ok := n.store.Get(r.PathValue("key"))
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(value)
	})
	mux.HandleFunc("PUT /kv/{key...}", func(w http.ResponseWriter, r *http.Request) {
		value, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxValue))
		if err != nil {
			http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
			return
		}
		n.write(Entry{Key: r.PathValue("key"), Value: value})
	})
	mux.HandleFunc("DELETE /kv/{key...}", func(w http.ResponseWriter, r *http.Request) {
		n.write(Entry{Key: r.PathValue("key"), Deleted: true})
	})
	mux.HandleFunc("GET /members", func(w http.ResponseWriter, _ *http.Request) {
		members := map[string]string{} // from a member's name to its HTTP address
		for _, m := range n.list.Members() {
			members[m.Name] = string(m.Meta)
		}
		_ = json.NewEncoder(w).Encode(members)
	})
	return mux
}

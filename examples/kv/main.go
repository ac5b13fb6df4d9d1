// Kv is a key-value map that all its nodes hold. It is written as one writes for hashicorp/memberlist,
// and runs with it too when the import is changed.
//
//	kv -name ann -http 127.0.0.1:8001 -bind 127.0.0.1:7001
//	kv -name bob -http 127.0.0.1:8002 -bind 127.0.0.1:7002 -join 127.0.0.1:7001
//
//	curl -X PUT --data hello 127.0.0.1:8001/kv/greeting
//	curl 127.0.0.1:8002/kv/greeting
//
// What is written spreads as a message. What a node misses, as while it is down, it gets with the state of
// another when it joins, and what a message missed comes with the states that are exchanged now and then.
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
			log.Print(err) // the others may come and join us
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

// handler is what the node serves: GET, PUT and DELETE of /kv/KEY, and GET of /members.
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
		members := map[string]string{} // name to where it serves HTTP
		for _, m := range n.list.Members() {
			members[m.Name] = string(m.Meta)
		}
		_ = json.NewEncoder(w).Encode(members)
	})
	return mux
}

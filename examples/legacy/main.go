// Legacy is a node that joins a cluster of gwyh 0.1 nodes. It prints the members that join and leave and the messages
// that it receives, and broadcasts each line that the user types.
//
//	legacy -bind 10.0.0.7:6969 -key "the pass phrase of the cluster" -join 10.0.0.5:6969,10.0.0.6:6969
//
// docs/LEGACY.md describes what such a cluster needs.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"log"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/gwyh-go/gwyh"
)

func main() {
	log.SetFlags(0)
	name := flag.String("name", "", "name of this node; empty: the host name")
	bind := flag.String("bind", "127.0.0.1:6970", "address of this node")
	key := flag.String("key", "", "key of the cluster, of any length up to 255 bytes; empty: the well-known key of gwyh 0.1")
	join := flag.String("join", "127.0.0.1:6969", "addresses of nodes, of gwyh 0.1 and of this library, separated by commas")
	flag.Parse()
	config, err := configure(*name, *bind, *key)
	if err == nil {
		err = run(config, strings.Split(*join, ","), os.Stdin, os.Stdout)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// configure returns the configuration of a node of a gwyh 0.1 cluster. No preset admits gwyh 0.1 nodes, and a Label
// would keep them out.
func configure(name, bind, key string) (*gwyh.Config, error) {
	addr, err := netip.ParseAddrPort(bind)
	if err != nil {
		return nil, fmt.Errorf("-bind: %w", err)
	}
	config := gwyh.DefaultLANConfig()
	config.AllowLegacy = true
	if name != "" {
		config.Name = name
	}
	config.BindAddr, config.BindPort, config.AdvertisePort = addr.Addr().String(), int(addr.Port()), int(addr.Port())
	config.SecretKey = []byte(key)
	return config, nil
}

// run joins the cluster and broadcasts each line of in until the end of in.
func run(config *gwyh.Config, seeds []string, in io.Reader, out io.Writer) error {
	say := log.New(out, "", 0).Printf // safe for concurrent use
	config.Delegate, config.Events = listener{say}, watcher{say}
	list, err := gwyh.Create(config)
	if err != nil {
		return err
	}
	defer func() { _ = list.Shutdown() }()
	if n, err := list.Join(seeds); err != nil {
		say("reached %d of %d seeds, and looks for the others in the background: %v", n, len(seeds), err)
	}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		if err := list.Broadcast(lines.Bytes()); err != nil {
			say("not sent: %v", err)
		}
	}
	return list.Leave(time.Second)
}

// listener prints the messages of other nodes.
type listener struct{ say func(string, ...any) }

func (l listener) NotifyMsg(msg []byte)          { l.say("heard: %s", msg) }
func (listener) NodeMeta(int) []byte             { return nil }
func (listener) GetBroadcasts(int, int) [][]byte { return nil }
func (listener) LocalState(bool) []byte          { return nil }
func (listener) MergeRemoteState([]byte, bool)   {}

// watcher prints the members that join and leave. The name of a gwyh 0.1 node is gwyh01- and its address.
type watcher struct{ say func(string, ...any) }

func (w watcher) NotifyJoin(n *gwyh.Node)  { w.say("joined: %s", n.Name) }
func (w watcher) NotifyLeave(n *gwyh.Node) { w.say("left: %s", n.Name) }
func (watcher) NotifyUpdate(*gwyh.Node)    {}

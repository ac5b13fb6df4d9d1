package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"

	memberlist "github.com/gwyh-go/gwyh"
)

// maxValue bounds the bytes of a value, so that an entry fits into one packet of either library.
const maxValue = 512

// node is the Delegate: it connects the map to the library.
type node struct {
	name  string
	http  string // the HTTP address of the node, which is its metadata
	store Store
	list  *memberlist.Memberlist
	queue memberlist.TransmitLimitedQueue // entries that were written here
}

// start creates the node as a cluster of its own.
func (n *node) start(bind, key string) error {
	host, text, err := net.SplitHostPort(bind)
	if err != nil {
		return err
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	config := memberlist.DefaultLocalConfig()
	config.Name, config.BindAddr, config.BindPort, config.AdvertisePort = n.name, host, port, port
	if key != "" {
		if err := memberlist.ValidateKey([]byte(key)); err != nil {
			return fmt.Errorf("-key: %w", err)
		}
		config.SecretKey = []byte(key)
	}
	config.Delegate = n
	config.LogOutput = warnings{os.Stderr}
	n.queue.RetransmitMult = config.RetransmitMult
	n.queue.NumNodes = func() int { return n.list.NumMembers() }
	n.list, err = memberlist.Create(config)
	return err
}

// warnings passes on only warnings and errors of a log. Both libraries write whole lines with the level in brackets.
type warnings struct{ out io.Writer }

func (w warnings) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte("[WARN]")) || bytes.Contains(line, []byte("[ERR]")) {
		return w.out.Write(line)
	}
	return len(line), nil
}

// write stores an entry and broadcasts it.
func (n *node) write(e Entry) {
	e.Writer = n.name
	e = n.store.Write(e)
	msg, err := json.Marshal(e)
	if err != nil {
		log.Print(err)
		return
	}
	n.queue.QueueBroadcast(&broadcast{key: e.Key, msg: msg})
}

// NodeMeta returns the HTTP address of this node.
func (n *node) NodeMeta(int) []byte { return []byte(n.http) }

// NotifyMsg merges an entry from another node. The same entry may arrive several times, and entries in any order.
func (n *node) NotifyMsg(msg []byte) {
	var e Entry
	if err := json.Unmarshal(msg, &e); err != nil {
		log.Printf("bad message: %v", err)
		return
	}
	n.store.Merge(e)
}

// GetBroadcasts returns queued broadcasts.
func (n *node) GetBroadcasts(overhead, limit int) [][]byte {
	return n.queue.GetBroadcasts(overhead, limit)
}

// LocalState returns the whole map.
func (n *node) LocalState(bool) []byte {
	state, err := json.Marshal(n.store.All())
	if err != nil {
		log.Print(err)
	}
	return state
}

// MergeRemoteState merges the map of another node.
func (n *node) MergeRemoteState(state []byte, _ bool) {
	var entries []Entry
	if err := json.Unmarshal(state, &entries); err != nil {
		log.Printf("bad state: %v", err)
		return
	}
	n.store.Merge(entries...)
}

// A broadcast is an entry in the queue. A newer entry of the same key replaces it.
type broadcast struct {
	key string
	msg []byte
}

func (b *broadcast) Name() string                          { return b.key }
func (b *broadcast) Invalidates(memberlist.Broadcast) bool { return false }
func (b *broadcast) Message() []byte                       { return b.msg }
func (b *broadcast) Finished()                             {}

package gwyh_test

import (
	"fmt"
	"io"
	"log"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh"
)

// app is the application: it passes on the messages that it receives, and queues the messages that it sends.
type app struct {
	got   chan string
	queue gwyh.TransmitLimitedQueue
	meta  string
}

func (a *app) NotifyMsg(msg []byte) { a.got <- string(msg) }
func (a *app) NodeMeta(int) []byte  { return []byte(a.meta) }
func (a *app) GetBroadcasts(overhead, limit int) [][]byte {
	return a.queue.GetBroadcasts(overhead, limit)
}
func (a *app) LocalState(join bool) []byte            { return nil }
func (a *app) MergeRemoteState(buf []byte, join bool) {}

// start makes a node on a network in memory. A real program does not set Transport and uses UDP.
func start(network *gwyh.MockNetwork, name string, change func(*gwyh.Config)) *gwyh.Memberlist {
	config := gwyh.DefaultLANConfig()
	config.Name = name
	config.Transport = network.NewTransport(name)
	config.SecretKey = []byte("a key of 24 bytes, or so")
	config.LogOutput = io.Discard
	if change != nil {
		change(config)
	}
	list, err := gwyh.Create(config)
	if err != nil {
		log.Fatal(err)
	}
	return list
}

// Two nodes exchange one message.
func Example() {
	network := new(gwyh.MockNetwork)
	ann := &app{got: make(chan string, 1)}
	a := start(network, "ann", func(c *gwyh.Config) { c.Delegate = ann })
	defer a.Shutdown()
	b := start(network, "bob", nil)
	defer b.Shutdown()

	reached, err := b.Join([]string{a.LocalNode().Address()})
	fmt.Println("reached:", reached, err)
	fmt.Println("members:", a.NumMembers(), b.NumMembers())

	if err := b.Broadcast([]byte("gossip with your homies")); err != nil {
		log.Fatal(err)
	}
	fmt.Println("ann hears:", <-ann.got)
	// Output:
	// reached: 1 <nil>
	// members: 2 2
	// ann hears: gossip with your homies
}

// A node announces itself to all others and learns about them.
func ExampleMemberlist_Members() {
	network := new(gwyh.MockNetwork)
	seed := start(network, "seed", nil)
	defer seed.Shutdown()
	for _, name := range []string{"web-1", "web-2"} {
		list := start(network, name, func(c *gwyh.Config) { c.Delegate = &app{meta: "port 80"} })
		defer list.Shutdown()
		if _, err := list.Join([]string{seed.LocalNode().Address()}); err != nil {
			log.Fatal(err)
		}
	}

	members := seed.Members()
	slices.SortFunc(members, func(a, b *gwyh.Node) int { return int(a.Port) - int(b.Port) })
	for _, n := range members {
		fmt.Printf("%s at %s: %q\n", n.Name, n.Address(), n.Meta)
	}
	// Output:
	// seed at 127.0.0.1:1: ""
	// web-1 at 127.0.0.1:2: "port 80"
	// web-2 at 127.0.0.1:3: "port 80"
}

// The events of a node in a channel: members that join and leave.
func ExampleChannelEventDelegate() {
	network := new(gwyh.MockNetwork)
	events := make(chan gwyh.NodeEvent, 16)
	a := start(network, "ann", func(c *gwyh.Config) { c.Events = &gwyh.ChannelEventDelegate{Ch: events} })
	defer a.Shutdown()
	b := start(network, "bob", nil)
	defer b.Shutdown()

	if _, err := b.Join([]string{a.LocalNode().Address()}); err != nil {
		log.Fatal(err)
	}
	if err := b.Leave(time.Second); err != nil {
		log.Fatal(err)
	}
	words := map[gwyh.NodeEventType]string{gwyh.NodeJoin: "joins", gwyh.NodeLeave: "leaves", gwyh.NodeUpdate: "changes"}
	for range 3 {
		e := <-events
		fmt.Println(e.Node, words[e.Event])
	}
	// Output:
	// ann joins
	// bob joins
	// bob leaves
}

// vote is a broadcast that invalidates an older one of the same voter.
type vote struct{ voter, choice string }

func (v vote) Name() string                        { return v.voter }
func (v vote) Message() []byte                     { return []byte(v.voter + " votes for " + v.choice) }
func (v vote) Invalidates(old gwyh.Broadcast) bool { return old.(vote).voter == v.voter }
func (v vote) Finished()                           {}

// The queue that programs built on memberlist use: the node polls it by GetBroadcasts. Each message is sent once, even
// if the queue returns it again.
func ExampleTransmitLimitedQueue() {
	network := new(gwyh.MockNetwork)
	ann := &app{got: make(chan string, 1)}
	a := start(network, "ann", func(c *gwyh.Config) { c.Delegate = ann })
	defer a.Shutdown()

	bob := &app{}
	bob.queue.RetransmitMult = 3
	bob.queue.QueueBroadcast(vote{"bob", "tea"})
	bob.queue.QueueBroadcast(vote{"bob", "coffee"}) // tea is never sent
	fmt.Println("queued:", bob.queue.NumQueued())

	b := start(network, "bob", func(c *gwyh.Config) { c.Delegate = bob })
	defer b.Shutdown()
	if _, err := b.Join([]string{a.LocalNode().Address()}); err != nil {
		log.Fatal(err)
	}
	fmt.Println("ann hears:", <-ann.got)
	// Output:
	// queued: 1
	// ann hears: bob votes for coffee
}

// The queue alone: it returns the messages with the fewest transmissions first, and among these the longest.
func ExampleTransmitLimitedQueue_GetBroadcasts() {
	queue := &gwyh.TransmitLimitedQueue{NumNodes: func() int { return 3 }, RetransmitMult: 2}
	queue.QueueBroadcast(vote{"ann", "tea"})
	queue.QueueBroadcast(vote{"bob", "coffee"})
	for range 3 {
		fmt.Printf("%q\n", queue.GetBroadcasts(3, 30))
	}
	// Output:
	// ["bob votes for coffee"]
	// ["ann votes for tea"]
	// ["bob votes for coffee"]
}

// A message to one node. When SendReliable returns without an error, the node has received it.
func ExampleMemberlist_SendReliable() {
	network := new(gwyh.MockNetwork)
	ann := &app{got: make(chan string, 1)}
	a := start(network, "ann", func(c *gwyh.Config) { c.Delegate = ann })
	defer a.Shutdown()
	b := start(network, "bob", nil)
	defer b.Shutdown()

	err := b.SendReliable(a.LocalNode(), []byte("for your ears only"))
	fmt.Println(<-ann.got, err)
	// Output:
	// for your ears only <nil>
}

// A key is replaced in a running cluster, in three steps at every node.
func ExampleKeyring() {
	old, young := []byte("the old key, 24 bytes ok"), []byte("the new key, 24 bytes ok")
	ring, err := gwyh.NewKeyring(nil, old)
	if err != nil {
		log.Fatal(err)
	}
	show := func() { fmt.Printf("%q\n", ring.GetKeys()) }

	_ = ring.AddKey(young) // first on all nodes
	show()
	_ = ring.UseKey(young) // then on all nodes
	show()
	_ = ring.RemoveKey(old)
	show()
	fmt.Println(ring.RemoveKey(young))
	// Output:
	// ["the old key, 24 bytes ok" "the new key, 24 bytes ok"]
	// ["the new key, 24 bytes ok" "the old key, 24 bytes ok"]
	// ["the new key, 24 bytes ok"]
	// removing the primary key is not allowed
}

// Nodes in three data centers. HubAndSpoke sends the fewest messages between them: each node receives messages from one
// node of each other zone, and from nodes of its own zone.
func ExampleDistributionStrategy() {
	network := new(gwyh.MockNetwork)
	var seed *gwyh.Memberlist
	for i, name := range []string{"a1", "a2", "b1", "b2", "c1", "c2"} {
		list := start(network, name, func(c *gwyh.Config) {
			c.Zone = "dc-" + name[:1]
			c.DistributionStrategy = gwyh.HubAndSpoke
		})
		defer list.Shutdown()
		if i == 0 {
			seed = list
		} else if _, err := list.Join([]string{seed.LocalNode().Address()}); err != nil {
			log.Fatal(err)
		}
	}

	zones := map[string]int{}
	for _, n := range seed.Members() {
		zones[n.Zone]++
	}
	fmt.Println(zones)
	fmt.Println(gwyh.HubAndSpoke)
	// Output:
	// map[dc-a:2 dc-b:2 dc-c:2]
	// HubAndSpoke
}

// A message that is too long is refused as a whole.
func ExampleTooLargeError() {
	a := start(new(gwyh.MockNetwork), "ann", nil)
	defer a.Shutdown()

	err := a.Broadcast(make([]byte, 20<<20))
	fmt.Println(err)
	// Output:
	// gwyh: message of 20971520 bytes, of which at most 16777216 can be sent
}

// Tcp is a program with the structure of an alerting system's cluster. Gossip uses its own TCP transport with packets
// of up to 10 MiB, for clusters that UDP does not reach. Short messages go through a queue, longer ones to each node
// separately: in one packet, or over a stream if they are very long.
//
// Each line "send SIZE" on standard input sends a message of SIZE bytes to all other nodes. Each node prints "got
// SIZE SUM" when it first receives a message.
package main

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// Size limits: up to the first a message is queued, up to the second it is sent in one packet.
const (
	shortMessage = 32 << 10
	longMessage  = maxPacket / 2
)

type program struct {
	list  *memberlist.Memberlist
	queue *memberlist.TransmitLimitedQueue

	mu   sync.Mutex
	seen map[[32]byte]bool
}

func (p *program) NodeMeta(int) []byte { return nil }

func (p *program) NotifyMsg(b []byte) {
	sum := sha256.Sum256(b)
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.seen[sum] {
		p.seen[sum] = true
		fmt.Printf("got %d %x\n", len(b), sum[:4])
	}
}

func (p *program) GetBroadcasts(overhead, limit int) [][]byte {
	return p.queue.GetBroadcasts(overhead, limit)
}

func (p *program) LocalState(bool) []byte        { return nil }
func (p *program) MergeRemoteState([]byte, bool) {}

// send sends a message of size bytes to all other nodes.
func (p *program) send(size int) {
	msg := []byte(strings.Repeat(fmt.Sprintf("from %s at %d. ", p.list.LocalNode().Name, time.Now().UnixNano()), size/10+1)[:size])
	sum := sha256.Sum256(msg)
	fmt.Printf("sent %d %x\n", size, sum[:4])
	if size <= shortMessage {
		p.queue.QueueBroadcast(simple(msg))
		return
	}
	send := p.list.SendBestEffort
	if size > longMessage {
		send = p.list.SendReliable
	}
	for _, n := range p.list.Members() {
		if n.Name == p.list.LocalNode().Name {
			continue
		}
		if err := send(n, msg); err != nil {
			log.Printf("send to %s: %v", n.Name, err)
		}
	}
}

type simple []byte

func (s simple) Message() []byte                       { return s }
func (s simple) Invalidates(memberlist.Broadcast) bool { return false }
func (s simple) Finished()                             {}

func main() {
	name, others := os.Args[1], os.Args[2:]
	transport, err := newTransport("127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	p := &program{seen: make(map[[32]byte]bool)}
	config := memberlist.DefaultLANConfig()
	config.Name, config.Transport, config.Delegate, config.LogOutput = name, transport, p, io.Discard
	config.UDPBufferSize = maxPacket
	config.SecretKey = []byte("sixteen byte key")
	p.queue = &memberlist.TransmitLimitedQueue{NumNodes: func() int { return p.list.NumMembers() }, RetransmitMult: config.RetransmitMult}
	if p.list, err = memberlist.Create(config); err != nil {
		log.Fatal(err)
	}
	if len(others) > 0 {
		if _, err := p.list.Join(others); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("listening at", p.list.LocalNode().Address())
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var size int
		switch line := lines.Text(); {
		case line == "members":
			fmt.Println("members", p.list.NumMembers())
		default:
			if _, err := fmt.Sscanf(line, "send %d", &size); err == nil {
				p.send(size)
			}
		}
	}
	if err := p.list.Leave(5 * time.Second); err != nil {
		log.Print(err)
	}
	if err := p.list.Shutdown(); err != nil {
		log.Fatal(err)
	}
}

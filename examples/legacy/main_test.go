package main

import (
	"bufio"
	"crypto/rand"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gwyh-go/gwyh"
	"github.com/gwyh-go/gwyh/internal/gwyh01"
	"github.com/gwyh-go/gwyh/internal/wire"
)

const key = "a pass phrase of the old cluster"

// program is one run of the program on an in-memory network.
type program struct {
	in    *io.PipeWriter
	ended chan error

	mu    sync.Mutex
	lines []string
}

func start(t *testing.T, network *gwyh.MockNetwork, name string, seeds ...string) *program {
	config, err := configure(name, "127.0.0.1:6970", key)
	if err != nil {
		t.Fatal(err)
	}
	config.Transport, config.LogOutput = network.NewTransport(name), io.Discard
	in, typed := io.Pipe()
	printed, out := io.Pipe()
	p := &program{in: typed, ended: make(chan error, 1)}
	go func() {
		p.ended <- run(config, seeds, in, out)
		_ = out.Close()
	}()
	go func() {
		for lines := bufio.NewScanner(printed); lines.Scan(); {
			p.mu.Lock()
			p.lines = append(p.lines, lines.Text())
			p.mu.Unlock()
		}
	}()
	return p
}

func (p *program) printed(line string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Contains(p.lines, line)
}

// old is a model of a gwyh 0.1 node on the same network.
type old struct {
	mu    sync.Mutex
	model *gwyh01.Node
	heard []string
	end   chan struct{}
}

func startOld(network *gwyh.MockNetwork) *old {
	transport := network.NewTransport("old")
	ip, port, err := transport.FinalAdvertiseAddr("", 0)
	if err != nil {
		panic(err) // a MockTransport always has an address
	}
	addr := netip.MustParseAddrPort(ip.String() + ":" + strconv.Itoa(port))
	o := &old{model: gwyh01.New(time.Now(), gwyh01.Config{Addr: addr, Keys: []string{key}, Rand: rand.Reader}), end: make(chan struct{})}
	go o.run(transport)
	return o
}

func (o *old) run(transport *gwyh.MockTransport) {
	for {
		o.mu.Lock()
		o.model.Drain(time.Now(), func(to wire.Path, b []byte) { _, _ = transport.WriteTo(b, to.Remote.String()) })
		for _, b := range o.model.Heard() {
			o.heard = append(o.heard, string(b))
		}
		next := o.model.NextTimeout()
		o.mu.Unlock()
		select {
		case p := <-transport.PacketCh():
			o.mu.Lock()
			o.model.HandleDatagram(time.Now(), wire.Path{Remote: netip.MustParseAddrPort(p.From.String())}, p.Buf)
			o.mu.Unlock()
		case <-time.After(time.Until(next)):
			o.mu.Lock()
			o.model.HandleTimeout(time.Now())
			o.mu.Unlock()
		case <-o.end:
			return
		}
	}
}

// Two runs of the program have a gwyh 0.1 node as their only seed and a pass phrase as their key.
func TestProgramsAndAnOldNodeAreOneCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := new(gwyh.MockNetwork)
		o := startOld(network)
		defer close(o.end)
		name := "gwyh01-" + o.model.Addr().String()
		ann, bob := start(t, network, "ann", o.model.Addr().String()), start(t, network, "bob", o.model.Addr().String())
		time.Sleep(15 * time.Second)
		for who, p := range map[string]*program{"bob": ann, "ann": bob} {
			for _, want := range []string{"joined: " + name, "joined: " + who} {
				if !p.printed(want) {
					t.Errorf("%s's partner printed %q, not %q", who, p.lines, want)
				}
			}
		}

		if _, err := io.WriteString(ann.in, "hello\n"); err != nil {
			t.Fatal(err)
		}
		o.mu.Lock()
		o.model.Broadcast([]byte("good old times"))
		o.mu.Unlock()
		time.Sleep(6 * time.Second) // the model sends its messages on its next tick
		o.mu.Lock()
		if !slices.Equal(o.heard, []string{"hello"}) {
			t.Errorf("the old node heard %q", o.heard)
		}
		o.mu.Unlock()
		for _, want := range []string{"heard: hello", "heard: good old times"} {
			if !bob.printed(want) {
				t.Errorf("bob printed %q, not %q", bob.lines, want)
			}
		}

		for _, p := range []*program{ann, bob} {
			_ = p.in.Close()
			if err := <-p.ended; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestBadBindAddressIsAnErrorThatNamesTheFlag(t *testing.T) {
	if _, err := configure("ann", "somewhere", key); err == nil || err.Error()[:5] != "-bind" {
		t.Error(err)
	}
}

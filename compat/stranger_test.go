package compat

import (
	"bytes"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh"
	"github.com/hashicorp/memberlist"
)

// logged records the log of a memberlist node.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

// errors returns the lines about packets that the node could not read.
func (l *logged) errors() (lines []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.b.String()) {
		if strings.Contains(line, "[ERR]") || strings.Contains(line, "[WARN]") {
			lines = append(lines, line)
		}
	}
	return lines
}

// memberlistNode starts a memberlist node and returns its log and address.
func memberlistNode(t *testing.T, key []byte) (log *logged, address string) {
	log = new(logged)
	c := memberlist.DefaultLANConfig()
	c.Name, c.BindAddr, c.BindPort, c.AdvertisePort, c.LogOutput, c.SecretKey = "m", "127.0.0.1", 0, 0, log, key
	m, err := memberlist.Create(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Shutdown() })
	n := m.LocalNode()
	return log, net.JoinHostPort(n.Addr.String(), itoa(n.Port))
}

func itoa(n uint16) string { return strings.TrimPrefix((&net.UDPAddr{Port: int(n)}).String(), ":") }

// gwyhJoin joins an address with a new node and a time limit.
func gwyhJoin(t *testing.T, address string, within time.Duration) error {
	c := gwyh.DefaultLANConfig()
	c.Name, c.BindAddr, c.BindPort, c.LogOutput, c.TCPTimeout = "g", "127.0.0.1", 0, io.Discard, within
	g, err := gwyh.Create(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Shutdown() })
	n, err := g.Join([]string{address})
	if n != 0 || err == nil {
		t.Fatalf("Join = %d, %v", n, err)
	}
	return err
}

func TestMemberlistNodeIsRecognisedAndItsLogIsSpared(t *testing.T) {
	log, address := memberlistNode(t, nil)
	err := gwyhJoin(t, address, time.Minute)
	if !strings.Contains(err.Error(), "a memberlist node is there") {
		t.Errorf("%v", err)
	}
	if lines := log.errors(); len(lines) > 4 { // one per Hello
		t.Errorf("the memberlist node wrote %q", lines)
	}
}

// The node answers only packets that use its key.
func TestEncryptedMemberlistNodeIsAmongTheCausesAndWritesFewLines(t *testing.T) {
	log, address := memberlistNode(t, []byte("sixteen byte key"))
	err := gwyhJoin(t, address, 4*time.Second)
	if !strings.Contains(err.Error(), "the program there may not be gwyh") {
		t.Errorf("%v", err)
	}
	if lines := log.errors(); len(lines) > 10 {
		t.Errorf("the memberlist node wrote %d lines: %q", len(lines), lines)
	} else {
		t.Logf("the memberlist node wrote %d lines", len(lines))
	}
}

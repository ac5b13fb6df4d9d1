package discover_test

import (
	"context"
	"log"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/gwyh-go/gwyh/discover"
)

// serveDNS answers DNS queries on loopback with the given records, by name and type, until the test ends. It returns
// a resolver that queries it.
func serveDNS(t *testing.T, records map[string][]dnsmessage.ResourceBody) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { _ = conn.Close(); <-done })
	go func() {
		defer close(done)
		b := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			var question dnsmessage.Message
			if question.Unpack(b[:n]) != nil {
				continue
			}
			answer, err := reply(question, records)
			if err == nil {
				_, _ = conn.WriteTo(answer, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// reply answers one query.
func reply(question dnsmessage.Message, records map[string][]dnsmessage.ResourceBody) ([]byte, error) {
	answer := dnsmessage.Message{Header: dnsmessage.Header{ID: question.ID, Response: true, Authoritative: true}, Questions: question.Questions}
	q := question.Questions[0]
	bodies, known := records[q.Name.String()]
	if !known {
		answer.RCode = dnsmessage.RCodeNameError
	}
	for _, body := range bodies {
		header := dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: 1}
		switch body.(type) {
		case *dnsmessage.AResource:
			header.Type = dnsmessage.TypeA
		case *dnsmessage.AAAAResource:
			header.Type = dnsmessage.TypeAAAA
		case *dnsmessage.SRVResource:
			header.Type = dnsmessage.TypeSRV
		}
		if header.Type == q.Type {
			answer.Answers = append(answer.Answers, dnsmessage.Resource{Header: header, Body: body})
		}
	}
	return answer.Pack()
}

func a(text string) dnsmessage.ResourceBody {
	return &dnsmessage.AResource{A: netip.MustParseAddr(text).As4()}
}

func aaaa(text string) dnsmessage.ResourceBody {
	return &dnsmessage.AAAAResource{AAAA: netip.MustParseAddr(text).As16()}
}

func srv(target string, port uint16) dnsmessage.ResourceBody {
	return &dnsmessage.SRVResource{Target: dnsmessage.MustNewName(target), Port: port}
}

// find returns what a source finds, sorted.
func find(t *testing.T, s discover.Source) []string {
	t.Helper()
	found, err := s.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(found)
	return found
}

func TestDNSFindsIPv4AndIPv6(t *testing.T) {
	resolver := serveDNS(t, map[string][]dnsmessage.ResourceBody{"gossip.test.": {a("10.0.0.1"), a("10.0.0.2"), aaaa("2001:db8::1")}})
	for network, want := range map[string][]string{
		"":    {"10.0.0.1:6969", "10.0.0.2:6969", "[2001:db8::1]:6969"},
		"ip4": {"10.0.0.1:6969", "10.0.0.2:6969"},
		"ip6": {"[2001:db8::1]:6969"},
	} {
		got := find(t, &discover.DNS{Host: "gossip.test.", Port: 6969, Network: network, Resolver: resolver})
		if !slices.Equal(got, want) {
			t.Errorf("network %q: %v, want %v", network, got, want)
		}
	}
}

func TestSRVFindsHostsAndTheirPorts(t *testing.T) {
	resolver := serveDNS(t, map[string][]dnsmessage.ResourceBody{
		"_gwyh._udp.test.": {srv("one.test.", 7001), srv("two.test.", 7002), srv("gone.test.", 7003), srv(".", 7004)},
		"one.test.":        {a("10.0.0.1")},
		"two.test.":        {a("10.0.0.2"), aaaa("2001:db8::2")},
	})
	got := find(t, &discover.SRV{Name: "_gwyh._udp.test.", Resolver: resolver})
	if want := []string{"10.0.0.1:7001", "10.0.0.2:7002", "[2001:db8::2]:7002"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestNameThatDoesNotExistIsAnError(t *testing.T) {
	resolver := serveDNS(t, nil)
	for _, s := range []discover.Source{
		&discover.DNS{Host: "gossip.test.", Port: 6969, Resolver: resolver},
		&discover.SRV{Name: "_gwyh._udp.test.", Resolver: resolver},
	} {
		if found, err := s.Find(t.Context()); err == nil {
			t.Errorf("%s: found %v and no error", s, found)
		}
	}
}

func TestSRVWhoseHostsHaveNoAddressNamesThem(t *testing.T) {
	resolver := serveDNS(t, map[string][]dnsmessage.ResourceBody{"_gwyh._udp.test.": {srv("gone.test.", 7003)}})
	_, err := (&discover.SRV{Name: "_gwyh._udp.test.", Resolver: resolver}).Find(t.Context())
	if err == nil || !strings.Contains(err.Error(), "gone.test") {
		t.Errorf("%v, want an error that names gone.test", err)
	}
}

// written creates a file with the content and returns its path.
func written(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "seeds")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFileHasAnAddressOnEachLine(t *testing.T) {
	path := written(t, "# seeds\n10.0.0.1:7001\n\n  one.test  # in the cellar\r\n2001:db8::1\n[2001:db8::2]:7002\n")
	got := find(t, &discover.File{Path: path, Port: 6969})
	if want := []string{"10.0.0.1:7001", "[2001:db8::1]:6969", "[2001:db8::2]:7002", "one.test:6969"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestBadFileNamesTheLine(t *testing.T) {
	for content, want := range map[string]string{
		"10.0.0.1:1\n10.0.0.2\n":         ":2: address \"10.0.0.2\" has no port",
		"10.0.0.1:1, 10.0.0.2:1\n":       ":1: \"10.0.0.1:1, 10.0.0.2:1\" is more than one address",
		strings.Repeat("x", 1<<20) + "y": "more than 1048576 bytes",
		strings.Repeat("x", 1<<17):       "token too long",
	} {
		_, err := (&discover.File{Path: written(t, content)}).Find(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
}

func TestParseReadsWhatStringWrites(t *testing.T) {
	for _, text := range []string{
		"dns://gossip.example.com:6969", "srv://_gwyh._udp.example.com", "k8s://prod/gossip", "k8s://prod/gossip?port=udp",
		"k8s://prod/gossip?port=6969", "k8s:///gossip", "file:///etc/gwyh/seeds", "file:///etc/gwyh/seeds?port=6969",
	} {
		s, err := discover.Parse(text)
		if err != nil {
			t.Error(err)
			continue
		}
		if s.String() != text {
			t.Errorf("%q became %q", text, s)
		}
	}
}

func TestParseRefusesWhatItWouldIgnore(t *testing.T) {
	for _, text := range []string{
		"", "10.0.0.1:6969", "http://example.com", "dns://gossip", "dns://:6969", "dns://gossip:0", "dns://gossip:6969/path", "dns://gossip:6969?port=1",
		"srv://name:53", "srv://", "k8s://prod", "k8s://prod/a/b", "k8s://prod/gossip?port=0", "k8s://prod/gossip?prt=udp",
		"file://etc/seeds", "file://", "file:///etc/seeds?port=70000", "dns://user@gossip:6969", "dns:gossip:6969", "%",
	} {
		if s, err := discover.Parse(text); err == nil {
			t.Errorf("%q became %s", text, s)
		}
	}
}

func TestGoDiscoverAddsThePortAndShowsNoCredentials(t *testing.T) {
	s := discover.GoDiscover(func(args string, l *log.Logger) ([]string, error) {
		l.Printf("[DEBUG] args %s", args) // as go-discover does
		return []string{"10.0.0.1", "10.0.0.2:7002", "2001:db8::1"}, nil
	}, "provider=aws secret_access_key=hush", 6969)
	if want := []string{"10.0.0.1:6969", "10.0.0.2:7002", "[2001:db8::1]:6969"}; !slices.Equal(find(t, s), want) {
		t.Errorf("%v, want %v", find(t, s), want)
	}
	if s.String() != "go-discover aws" {
		t.Errorf("it is called %q", s)
	}
}

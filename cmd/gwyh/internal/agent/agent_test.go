package agent

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh"
	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/api"
	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/client"
	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/config"
)

var testKey = base64.StdEncoding.EncodeToString([]byte("0123456789abcdefghijklmnopqrstuv"))

// start starts an agent on loopback with its API. The agent ends with the test.
func start(t *testing.T, args ...string) (*Agent, *client.Client) {
	t.Helper()
	c, err := config.Parse(append([]string{"-bind", "127.0.0.1:0", "-key", testKey, "-profile", "local"}, args...), func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	a, err := Start(c, NewLog(io.Discard, "debug", false), "v1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	listener, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := a.Serve(listener, c.Token)
	t.Cleanup(func() {
		_ = server.Close()
		_ = a.Close(false)
	})
	return a, client.New(server.Addr.String(), c.Token)
}

// until waits for a condition.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-ctx.Done():
			t.Fatalf("not in time: %s", what)
		case <-tick.C:
		}
	}
}

func address(a *Agent) string { return a.Memberlist().LocalNode().Address() }

func get[T any](t *testing.T, c *client.Client, path string) (v T) {
	t.Helper()
	if err := c.Get(t.Context(), path, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func names(members []api.Member) (all []string) {
	for _, m := range members {
		all = append(all, m.Name)
	}
	return all
}

// recorded is the events that a client received.
type recorded struct {
	mu  sync.Mutex
	all []api.Event
}

func (r *recorded) has(f func(api.Event) bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.all, f)
}

// follow records the events of an agent from now on.
func follow(t *testing.T, c *client.Client) *recorded {
	t.Helper()
	r, stands := &recorded{}, make(chan struct{})
	go func() {
		_ = c.Events(t.Context(), nil, func() { close(stands) }, func(e api.Event) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.all = append(r.all, e)
			return nil
		})
	}()
	select {
	case <-stands:
	case <-time.After(30 * time.Second):
		t.Fatal("no stream")
	}
	return r
}

func TestAgentsSeeEachOtherAndTheirMessages(t *testing.T) {
	ann, ofAnn := start(t, "-name", "ann", "-zone", "z1", "-meta", "first")
	bob, ofBob := start(t, "-name", "bob", "-zone", "z2", "-join", address(ann))
	until(t, "both know both", func() bool { return ann.Memberlist().NumMembers() == 2 && bob.Memberlist().NumMembers() == 2 })

	members := get[[]api.Member](t, ofBob, "/v1/members")
	if got := names(members); !slices.Equal(got, []string{"ann", "bob"}) {
		t.Fatalf("members %q", got)
	}
	if m := members[0]; string(m.Meta) != "first" || m.Zone != "z1" {
		t.Errorf("ann has the metadata %q and the zone %s", m.Meta, m.Zone)
	} else if m.State != "alive" {
		t.Errorf("ann is %s", m.State)
	}
	if members[0].Self || !members[1].Self {
		t.Errorf("the answering node is not marked as bob: %+v", members)
	}

	events := follow(t, ofAnn)
	if err := ofBob.Post(t.Context(), "/v1/broadcast", api.BroadcastRequest{Name: "deploy", Payload: []byte("v\x00")}, nil); err != nil {
		t.Fatal(err)
	}
	until(t, "the message arrives", func() bool {
		return events.has(func(e api.Event) bool {
			return e.Type == api.MessageEvent && e.Message.Name == "deploy" && e.Message.Origin == "bob" && string(e.Message.Payload) == "v\x00"
		})
	})
	if err := ofBob.Post(t.Context(), "/v1/meta", api.MetaRequest{Text: "second"}, nil); err != nil {
		t.Fatal(err)
	}
	until(t, "the metadata arrives", func() bool {
		return events.has(func(e api.Event) bool { return e.Type == api.MemberUpdate && string(e.Member.Meta) == "second" })
	})
	var pong api.PingResponse
	if err := ofAnn.Post(t.Context(), "/v1/ping", api.PingRequest{Name: "bob"}, &pong); err != nil || pong.RTT <= 0 {
		t.Errorf("ping: %+v, %v", pong, err)
	}
	until(t, "the link shows", func() bool { return len(get[[]api.Link](t, ofAnn, "/v1/links")) == 1 })
	self := get[api.Self](t, ofAnn, "/v1/self")
	if self.Member.Name != "ann" || self.Version != "v1.2.3" || self.Stats.BroadcastsDelivered != 1 {
		t.Errorf("%+v", self)
	}

	if err := ofBob.Post(t.Context(), "/v1/leave", struct{}{}, nil); err != nil {
		t.Fatal(err)
	}
	<-bob.Leaving()
	if err := bob.Close(true); err != nil {
		t.Error(err)
	}
	until(t, "ann is told that bob left", func() bool {
		return events.has(func(e api.Event) bool { return e.Type == api.MemberLeave && e.Member.Name == "bob" })
	})
	if events.has(func(e api.Event) bool { return e.Member != nil && e.Member.Name == "ann" }) {
		t.Errorf("ann is told of herself: %+v", events.all)
	}
}

func TestNodeWhoseNameIsTakenDoesNotSayThatItJoined(t *testing.T) {
	t.Parallel()
	ann, _ := start(t, "-name", "ann")
	start(t, "-name", "bob", "-join", address(ann))
	until(t, "bob is a member", func() bool { return ann.Memberlist().NumMembers() == 2 })
	other, c := start(t, "-name", "bob", "-join", address(ann))
	logged := func(text string) bool {
		return slices.ContainsFunc(other.Log(), func(l api.LogLine) bool { return strings.HasPrefix(l.Text, text) })
	}
	until(t, "the log says that the name is taken", func() bool { return logged("other nodes were reached, but another node has the name of this one") })
	if logged("joined ") {
		t.Error("the log says that the node joined")
	}
	if w := get[[]api.Warning](t, c, "/v1/warnings"); !slices.ContainsFunc(w, func(w api.Warning) bool { return w.Code == "name-taken" }) {
		t.Errorf("warnings %+v", w)
	}
}

func TestMembersThatFailAreDistinguishedFromThoseThatLeave(t *testing.T) {
	ann, ofAnn := start(t, "-name", "ann")
	bob, _ := start(t, "-name", "bob", "-join", address(ann))
	until(t, "ann knows bob", func() bool { return ann.Memberlist().NumMembers() == 2 })
	events := follow(t, ofAnn)
	_ = bob.Close(false)
	until(t, "bob has failed", func() bool {
		return events.has(func(e api.Event) bool {
			return e.Type == api.MemberFailed && e.Member.Name == "bob" && e.Member.State == "failed" &&
				!e.Heard.IsZero() && e.Heard.Before(e.Time.Add(-time.Second)) && e.DeafSince.IsZero()
		})
	})
}

func TestBroadcastOfAnotherProgramIsAMessageWithoutAName(t *testing.T) {
	ann, ofAnn := start(t, "-name", "ann")
	c := gwyh.DefaultLocalConfig()
	c.Name, c.BindAddr, c.BindPort, c.LogOutput = "program", "127.0.0.1", 0, io.Discard
	c.SecretKey, _ = base64.StdEncoding.DecodeString(testKey)
	m, err := gwyh.Create(c)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Shutdown() }()
	if _, err := m.Join([]string{address(ann)}); err != nil {
		t.Fatal(err)
	}
	events := follow(t, ofAnn)
	if err := m.Broadcast([]byte("raw")); err != nil {
		t.Fatal(err)
	}
	until(t, "the message arrives", func() bool {
		return events.has(func(e api.Event) bool {
			return e.Type == api.MessageEvent && e.Message.Name == "" && e.Message.Origin == "" && string(e.Message.Payload) == "raw"
		})
	})
}

func TestKeysAreRotatedOverTheAPI(t *testing.T) {
	ann, ofAnn := start(t, "-name", "ann")
	bob, ofBob := start(t, "-name", "bob", "-join", address(ann))
	until(t, "ann knows bob", func() bool { return ann.Memberlist().NumMembers() == 2 })
	old := get[[]api.Key](t, ofAnn, "/v1/keys")
	fresh := []byte("another key of 32 bytes for them")
	for _, step := range []struct {
		path string
		ask  api.KeyRequest
	}{
		{"/v1/keys/add", api.KeyRequest{Key: fresh}},
		{"/v1/keys/use", api.KeyRequest{Fingerprint: gwyh.KeyFingerprint(fresh)}},
		{"/v1/keys/remove", api.KeyRequest{Fingerprint: old[0].Fingerprint}},
	} {
		for _, c := range []*client.Client{ofAnn, ofBob} {
			if err := c.Post(t.Context(), step.path, step.ask, nil); err != nil {
				t.Fatal(step.path, err)
			}
		}
	}
	keys := get[[]api.Key](t, ofBob, "/v1/keys")
	if len(keys) != 1 || !keys[0].Primary || keys[0].Fingerprint != gwyh.KeyFingerprint(fresh) {
		t.Errorf("%+v", keys)
	}
	var logged []string
	for _, line := range ann.Log() {
		if strings.HasPrefix(line.Text, "key is ") {
			logged = append(logged, line.Level+" "+line.Text)
		}
	}
	if want := []string{
		"INFO key is accepted fingerprint=" + gwyh.KeyFingerprint(fresh),
		"INFO key is the primary one fingerprint=" + gwyh.KeyFingerprint(fresh),
		"INFO key is no longer accepted fingerprint=" + old[0].Fingerprint,
	}; !slices.Equal(logged, want) {
		t.Errorf("logged %q, want %q", logged, want)
	}
	if ann.Memberlist().NumMembers() != 2 || bob.Memberlist().NumMembers() != 2 {
		t.Error("they lost each other")
	}
	for want, ask := range map[string]api.KeyRequest{"the agent has no such key": {Fingerprint: "000000000000"}, "removing the primary key": {Fingerprint: keys[0].Fingerprint}} {
		if err := ofAnn.Post(t.Context(), "/v1/keys/remove", ask, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := ofAnn.Post(t.Context(), "/v1/keys/add", api.KeyRequest{Key: []byte("short")}, nil); err == nil {
		t.Error("a short key is added")
	}
}

func TestAgentWithoutAKeyNamesItsOwnOptions(t *testing.T) {
	c, err := config.Parse([]string{"-bind", "127.0.0.1:0"}, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	a, err := Start(c, NewLog(io.Discard, "info", false), "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close(false) }()
	var texts []string
	for _, line := range a.Log() {
		texts = append(texts, line.Text)
	}
	for _, w := range a.Warnings() {
		texts = append(texts, w.Text)
	}
	all := strings.Join(texts, "\n")
	if n := strings.Count(all, "set -key-file or GWYH_KEY"); n != 2 {
		t.Errorf("-key-file is named %d times, want once in the log and once in the warnings:\n%s", n, all)
	}
	if strings.Contains(all, "Config.") {
		t.Errorf("a field of the library's Config is named:\n%s", all)
	}
}

func TestCausesOfAJoinThatNobodyAnswersAreLoggedOnce(t *testing.T) {
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	at := silent.LocalAddr().String()
	peers := filepath.Join(t.TempDir(), "peers")
	if err := writePeers(peers, []string{at}); err != nil {
		t.Fatal(err)
	}
	ann, _ := start(t, "-name", "ann", "-join", at, "-join", at, "-peers-file", peers) // an address given again is joined once
	logged := func(part string) (n int) {
		for _, line := range ann.Log() {
			n += strings.Count(line.Text, part)
		}
		return n
	}
	until(t, "the Join fails", func() bool { return logged("no address was reached yet") > 0 })
	if n := logged(`join ` + at + `: no answer within `); n != 1 {
		t.Errorf("the reason is logged %d times: %+v", n, ann.Log())
	}
	if n := logged("UDP may be blocked"); n != 1 {
		t.Errorf("the causes are logged %d times: %+v", n, ann.Log())
	}
}

func TestReasonsOfAJoinAreOneLine(t *testing.T) {
	err := errors.New("gwyh: no node was reached: join a: no answer within 10s\njoin b: connection refused\npossible causes of no answer: UDP may be blocked")
	if got, want := fmt.Sprint(reasons(err)), "join a: no answer within 10s; join b: connection refused"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := reasons(nil); got != nil {
		t.Errorf("%v", got)
	}
}

func TestLeavingDoesNotWaitForAJoin(t *testing.T) {
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	ann, _ := start(t, "-name", "ann", "-profile", "wan", "-join", silent.LocalAddr().String())
	if _, _, err := silent.ReadFrom(make([]byte, 2048)); err != nil { // the Join has begun
		t.Fatal(err)
	}
	if err := ann.Close(true); err != nil {
		t.Error(err)
	}
	for _, line := range ann.Log() {
		if strings.Contains(line.Text, "no answer") {
			t.Errorf("the agent waited for the end of the join: %s", line.Text)
		}
	}
}

func TestNoNodeIsTakenInBeyondTheLimit(t *testing.T) {
	ann, _ := start(t, "-name", "ann", "-max-members", "2")
	bob, _ := start(t, "-name", "bob", "-join", address(ann))
	until(t, "ann knows bob", func() bool { return ann.Memberlist().NumMembers() == 2 })
	_, ofCleo := start(t, "-name", "cleo")
	err := ofCleo.Post(t.Context(), "/v1/join", api.JoinRequest{Addresses: []string{address(ann)}}, nil)
	if err == nil || !strings.Contains(err.Error(), "max-members allows no more") {
		t.Errorf("join: %v", err)
	}
	if n := ann.Memberlist().NumMembers(); n != 2 {
		t.Errorf("%d members", n)
	}
	// A restarted member keeps its place.
	_ = bob.Close(false)
	start(t, "-name", "bob", "-bind", address(bob), "-join", address(ann))
	until(t, "bob is back", func() bool {
		return slices.ContainsFunc(ann.Memberlist().Members(), func(n *gwyh.Node) bool { return n.Name == "bob" && n.ID != bob.id })
	})
}

func TestDemonstrationIsAClusterOfItsOwn(t *testing.T) {
	c, err := config.Parse([]string{"-demo", "5"}, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	first, others, err := Demo(c, NewLog(io.Discard, "info", false), "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = CloseAll(others) }()
	a, err := Start(first, NewLog(io.Discard, "info", false), "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close(true) }()
	until(t, "five members", func() bool { return a.Memberlist().NumMembers() == 5 })
	until(t, "they talk", func() bool { return a.Memberlist().Stats().BroadcastsDelivered > 0 })
}

func TestSlowReaderMissesEventsAndLearnsHowMany(t *testing.T) {
	var h hub
	ctx, cancel := context.WithCancel(t.Context())
	events := h.watch(ctx)
	for range watchDepth + 3 {
		h.publish(api.Event{})
	}
	for i := range watchDepth {
		if e := <-events; e.ID != uint64(i+1) || e.Missed != 0 {
			t.Fatalf("event %d: %+v", i, e)
		}
	}
	h.publish(api.Event{})
	if e := <-events; e.Missed != 3 || e.ID != watchDepth+4 {
		t.Errorf("%+v", e)
	}
	cancel()
	if _, ok := <-events; ok {
		t.Error("the channel is open")
	}
	h.close()
	if _, ok := <-h.watch(t.Context()); ok {
		t.Error("a closed hub has events")
	}
}

func TestAgentServesTheStatusPageAndMetrics(t *testing.T) {
	ann, c := start(t, "-name", "ann")
	bob, _ := start(t, "-name", "bob", "-join", address(ann))
	until(t, "ann knows bob", func() bool { return ann.Memberlist().NumMembers() == 2 && bob.Memberlist().NumMembers() == 2 })
	for path, want := range map[string]string{"/": "bob", "/metrics": "\ngwyh_members 2\n"} {
		q, err := http.NewRequestWithContext(t.Context(), "GET", c.Base+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r.Body)
		_ = r.Body.Close()
		if err != nil || r.StatusCode != http.StatusOK || !strings.Contains(string(b), want) {
			t.Errorf("%s: %s, %v\n%s\nlacks %q", path, r.Status, err, b, want)
		}
	}
}

func TestServerNeedsTheToken(t *testing.T) {
	_, c := start(t, "-name", "ann", "-token", "secret")
	if err := c.Get(t.Context(), "/v1/self", nil); err != nil {
		t.Error(err)
	}
	c.Token = "guess"
	err := c.Get(t.Context(), "/v1/self", nil)
	if e, ok := err.(*client.StatusError); !ok || e.Status != http.StatusUnauthorized {
		t.Errorf("%v", err)
	}
}

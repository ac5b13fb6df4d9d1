package statuspage

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gwyh-go/gwyh/status"
	"github.com/gwyh-go/gwyh/statuspage/internal/fake"
)

func get(t *testing.T, h http.Handler, path string) *http.Response {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPageShowsEveryMemberAndAllowsNothingFromElsewhere(t *testing.T) {
	r := get(t, Handler(fake.New(60)), "/")
	if r.StatusCode != 200 || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") {
		t.Fatalf("%s, %s", r.Status, r.Header.Get("Content-Type"))
	}
	policy := r.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy %q lacks %s", policy, want)
		}
	}
	page := body(t, r)
	for _, want := range []string{"node-0059", "eu-west", "9f2c41d07a3e", "timestamp too far off", "suspected", `href="assets/style.css"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, absolute := range []string{`src="/`, `href="/`, `src="http`, `href="http`, `src="//`} {
		if strings.Contains(page, absolute) {
			t.Errorf("the page has %s, so it would not work below another path, or would load from elsewhere", absolute)
		}
	}
}

func TestOnlyGetIsServed(t *testing.T) {
	h := Handler(fake.New(3))
	for _, path := range []string{"/", "/events", "/assets/app.js"} {
		for _, method := range []string{"POST", "PUT", "DELETE"} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
			if w.Code != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: %d", method, path, w.Code)
			}
		}
	}
	for _, path := range []string{"/other", "/assets/../statuspage.go", "/assets/none"} {
		if r := get(t, h, path); r.StatusCode != 404 && r.StatusCode != 301 && r.StatusCode != 307 {
			t.Errorf("%s: %s", path, r.Status)
		}
	}
}

func TestHostileNamesAreEscapedInThePage(t *testing.T) {
	f := fake.New(5)
	f.Rename(1, `<script>alert(1)</script>`)
	if page := body(t, get(t, Handler(f), "/")); strings.Contains(page, "<script>alert") {
		t.Error("a name is markup")
	}
	for _, s := range []string{`x" onclick="y`, "a b", "Ä"} {
		if got := class(s); got != "" {
			t.Errorf("%q is the class %q", s, got)
		}
	}
}

// received returns the updates that a client has received.
func received(t *testing.T, c *client) (list []map[string]any) {
	t.Helper()
	for {
		select {
		case b, ok := <-c.updates:
			if !ok {
				return list
			}
			list = append(list, decode(t, b))
		default:
			return list
		}
	}
}

func decode(t *testing.T, b []byte) (u map[string]any) {
	t.Helper()
	_, data, ok := bytes.Cut(b, []byte("data: "))
	if !ok || !bytes.HasSuffix(data, []byte("\n\n")) || bytes.Count(data, []byte("\n")) != 2 {
		t.Fatalf("no message of server-sent events: %.100q", b)
	}
	if err := json.Unmarshal(data, &u); err != nil {
		t.Fatal(err)
	}
	return u
}

func newHub(f *fake.Node) *hub { return &hub{source: f, clients: make(map[*client]struct{})} }

func newClient() *client { return &client{updates: make(chan []byte, updatesMax)} }

// rows returns the rows of a table that an update sets.
func rows(u map[string]any, table string) []any {
	changes, ok := u["rows"].(map[string]any)[table].(map[string]any)
	if !ok {
		return nil
	}
	set, _ := changes["set"].([]any)
	return set
}

func TestUpdatesComeAtMostTenTimesASecondAndOnceWhenNothingHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fake.New(20)
		h, c := newHub(f), newClient()
		if !h.add(c) {
			t.Fatal("refused")
		}
		defer h.remove(c)
		time.Sleep(950 * time.Millisecond)
		received(t, c)
		busy := 0
		for i := range 400 { // for 2 s
			f.Broadcast(i)
			time.Sleep(5 * time.Millisecond)
			busy += len(received(t, c))
		}
		if busy < 15 || busy > 21 {
			t.Errorf("%d updates in 2 s of 200 messages a second, want at most 20", busy)
		}
		time.Sleep(time.Second)
		received(t, c)
		time.Sleep(10 * time.Second)
		if quiet := len(received(t, c)); quiet < 9 || quiet > 11 {
			t.Errorf("%d updates in 10 s of silence", quiet)
		}
	})
}

func TestUpdateHasOnlyTheRowsThatChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fake.New(1000)
		h, c := newHub(f), newClient()
		h.add(c)
		defer h.remove(c)
		synctest.Wait()
		first := received(t, c)
		if len(first) != 1 || first[0]["full"] != true || len(rows(first[0], "members")) != 1000 {
			t.Fatalf("%d updates at first, %d members", len(first), len(rows(first[0], "members")))
		}
		time.Sleep(500 * time.Millisecond)
		f.SetState("node-0500", status.Failed)
		synctest.Wait()
		second := received(t, c)
		if len(second) != 1 {
			t.Fatalf("%d updates after one change", len(second))
		}
		for table, want := range map[string]int{"members": 1, "history": 1, "links": 0} {
			if got := len(rows(second[0], table)); got != want {
				t.Errorf("%d rows of %s after one change, want %d: %v", got, table, want, second)
			}
		}
		late := newClient()
		h.add(late)
		defer h.remove(late)
		if all := received(t, late); len(all) != 1 || all[0]["full"] != true || len(rows(all[0], "members")) != 1000 {
			t.Error("a second browser did not get everything at once")
		}
	})
}

func TestRowsThatAreGoneAreNamedUntilNoneIsLeft(t *testing.T) {
	tables := &sent{rows: make(map[string][]byte)}
	line := func(id string) row { return row{ID: id, Cells: []cell{text(id)}} }
	tables.replace([]row{line("a"), line("b")})
	c := tables.replace([]row{line("b")})
	if !slices.Equal(c.Gone, []string{"a"}) {
		t.Errorf("one of two: %q are gone, want a", c.Gone)
	}
	if len(c.Order) != 1 || c.Set != nil {
		t.Errorf("one of two: order %v, set %v", c.Order, c.Set)
	}
	c = tables.replace(nil)
	b, err := json.Marshal(c)
	if err != nil || string(b) != `{"gone":["b"],"order":[]}` {
		t.Errorf("the last one: %s, %v", b, err)
	}
	if c := tables.replace(nil); c.Order != nil || c.Gone != nil {
		t.Errorf("no change: %+v", c)
	}
}

func TestNothingIsTakenFromTheNodeWhileNobodyLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fake.New(5)
		h, c := newHub(f), newClient()
		h.add(c)
		time.Sleep(3 * time.Second)
		if f.Watchers() != 1 {
			t.Errorf("%d watchers", f.Watchers())
		}
		h.remove(c)
		synctest.Wait()
		taken := f.Taken()
		time.Sleep(time.Minute)
		if f.Taken() != taken || f.Watchers() != 0 {
			t.Errorf("%d further snapshots, %d watchers", f.Taken()-taken, f.Watchers())
		}
		h.add(c)
		received(t, c)
		time.Sleep(time.Second)
		if len(received(t, c)) == 0 {
			t.Error("nothing came to the next browser")
		}
		h.remove(c)
	})
}

func TestSlowBrowserIsDisconnectedAndOthersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fake.New(5)
		h, slow, quick := newHub(f), newClient(), newClient()
		h.add(slow)
		h.add(quick)
		got := 0
		for range 2 * updatesMax {
			time.Sleep(time.Second)
			got += len(received(t, quick))
		}
		if len(received(t, slow)) != updatesMax {
			t.Error("the slow one was not disconnected with a full queue")
		}
		if got < 2*updatesMax-1 {
			t.Errorf("the other got %d updates", got)
		}
		h.remove(slow)
		h.remove(quick)
	})
}

func TestBrowsersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(fake.New(5))
		var all []*client
		for range clientsMax {
			c := newClient()
			if !h.add(c) {
				t.Fatal("refused")
			}
			all = append(all, c)
		}
		if h.add(newClient()) {
			t.Error("one too many was taken")
		}
		for _, c := range all {
			h.remove(c)
		}
	})
}

func TestEventsAreServedUntilTheBrowserLeaves(t *testing.T) {
	f := fake.New(5)
	s := httptest.NewServer(Handler(f))
	defer s.Close()
	r, err := http.Get(s.URL + "/events")
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("Content-Type %q", got)
	}
	line, err := bufio.NewReader(r.Body).ReadString('\n')
	if err != nil || line != "retry: 1000\n" {
		t.Errorf("%q, %v", line, err)
	}
	_ = r.Body.Close()
}

func TestMessagesShowTheirOriginTheirWayAndParentsWhereThatIsKnown(t *testing.T) {
	m, at := newMessages(), time.Unix(10_000, 0)
	ann, bob := status.Node{Name: "ann"}, status.Node{Name: "bob"}
	m.note(&status.Event{Kind: status.Received, At: at, Message: "0a0b0c0d-0000-8000-0000-000000000001", Node: ann, Travel: 3 * time.Millisecond, Made: true})
	m.note(&status.Event{Kind: status.Received, At: at, Message: "0a0b0c0d-0000-8000-0000-000000000002", Node: bob, Travel: 12 * time.Millisecond,
		Parents: []status.Node{bob, ann}})
	m.note(&status.Event{Kind: status.Received, At: at, Message: "01020304-0000-8000-0000-000000000009", Node: bob})
	got := m.table(at)
	var made, parents int
	for i, c := range got.Columns {
		switch c.Label {
		case "Made before":
			made = i
		case "Parents":
			parents = i
		}
	}
	for i, want := range [][3]string{{"010203 · 9", "unknown", "not chosen yet"}, {"ann · 2", "≥ 12 ms", "bob, ann"}, {"ann · 1", "≥ 3.0 ms", "not chosen yet"}} {
		if c := got.Rows[i].Cells; c[0].Text != want[0] || c[made].Text != want[1] || c[parents].Text != want[2] {
			t.Errorf("row %d: %q, %q, %q, want %q", i, c[0].Text, c[made].Text, c[parents].Text, want)
		}
	}
}

func TestFailedNeighborsWereSilentOrDeaf(t *testing.T) {
	at := time.Unix(10_000, 0)
	s := status.Status{At: at, History: []status.Event{
		{At: at, Kind: status.MemberDied, Node: status.Node{Name: "stranger"}},
		{At: at, Kind: status.MemberDied, Node: status.Node{Name: "silent"}, Heard: at.Add(-4200 * time.Millisecond)},
		{At: at, Kind: status.MemberDied, Node: status.Node{Name: "deaf"}, Heard: at.Add(-300 * time.Millisecond), DeafSince: at.Add(-3 * time.Second)},
	}}
	for i, want := range []string{"0.3 s before; it heard nothing of this node", "4.2 s before", ""} {
		if got := historyTable(&s).Rows[i].Cells[4].Text; got != want {
			t.Errorf("row %d: %q, want %q", i, got, want)
		}
	}
}

func TestMessagesKeepTheLatestAndCountCopies(t *testing.T) {
	m := newMessages()
	at := time.Unix(1000, 0)
	id := func(n int) string {
		return "a1b2c3d4-0000-0000-0000-" + strings.Repeat("0", 9) + string([]byte{'0' + byte(n/100), '0' + byte(n/10%10), '0' + byte(n%10)})
	}
	for i := range messagesMax + 5 {
		m.note(&status.Event{Kind: status.Received, At: at, Message: id(i), Node: status.Node{Name: "b"}})
	}
	for range copiesMax + 3 {
		m.note(&status.Event{Kind: status.Duplicate, At: at.Add(time.Millisecond), Message: id(messagesMax), Node: status.Node{Name: "c"}})
	}
	m.note(&status.Event{Kind: status.Duplicate, Message: id(0)}) // no longer kept
	t1 := m.table(at)
	if len(t1.Rows) != messagesMax || len(m.byID) != messagesMax {
		t.Fatalf("%d rows of %d messages", len(t1.Rows), len(m.byID))
	}
	r := t1.Rows[4]
	if r.Cells[0].Text != "a1b2c3 · 256" || r.Cells[6].Text != "20" {
		t.Errorf("cells %q and %q", r.Cells[0].Text, r.Cells[6].Text)
	}
	if lags := r.Cells[7].Lags; len(lags) != copiesMax || lags[0] != 1 {
		t.Errorf("lags %v, want %d that begin with 1", lags, copiesMax)
	}
}

func TestNumbersAreWrittenForPeople(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	for got, want := range map[string]string{
		milliseconds(0): "–", milliseconds(250 * time.Microsecond): "0.25 ms", milliseconds(1500 * time.Microsecond): "1.5 ms", milliseconds(12 * time.Millisecond): "12 ms",
		ago(now, time.Time{}): "–", ago(now, now.Add(time.Hour)): "0 s ago", ago(now, now.Add(-59*time.Second)): "59 s ago", ago(now, now.Add(-3*time.Minute)): "3 min ago",
		ago(now, now.Add(-47*time.Hour)): "47 h ago", ago(now, now.Add(-50*time.Hour)): "2 days ago",
		size(999): "999 B", size(1500): "1.5 kB", size(48_500): "48 kB", size(2.5e6): "2.5 MB", size(3e9): "3.0 GB",
		count(1_234_567): "1\u202f234\u202f567", count(12): "12", percent(0.034): "3.4 %", percent(0): "0 %", percent(0.0004): "< 0.1 %", percent(0.5): "50 %",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestEarlierRunOfANodeThatIsBackIsNotListed(t *testing.T) {
	s := status.Status{Members: []status.Member{
		{Node: status.Node{ID: "1", Name: "a"}, State: status.Failed}, {Node: status.Node{ID: "2", Name: "a"}, State: status.Alive},
		{Node: status.Node{ID: "3", Name: "b"}, State: status.Failed}}}
	if got := memberTable(&s).Rows; len(got) != 2 || got[0].ID != "2" || got[1].ID != "3" {
		t.Errorf("%+v", got)
	}
}

func TestPageOfANodeThatWasShutDownSaysSo(t *testing.T) {
	f := fake.New(5)
	f.Shutdown()
	if page := body(t, get(t, Handler(f), "/")); !strings.Contains(page, "The node was shut down.") {
		t.Error("nothing says so")
	}
}

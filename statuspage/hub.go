package statuspage

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gwyh-go/gwyh"
	"github.com/gwyh-go/gwyh/status"
)

const (
	clientsMax   = 64                     // number of connected browsers
	updateMin    = 100 * time.Millisecond // minimum interval of updates
	updateMax    = time.Second            // interval of updates without events
	eventsMax    = 4096                   // queue of the node's events
	updatesMax   = 32                     // queue of one browser; if it is full, the browser has to connect again
	writeTimeout = 10 * time.Second
	seriesMax    = 120 // points of a chart, one per second
)

// A hub watches the node while browsers are connected, and sends them the changes.
type hub struct {
	source Source

	mu      sync.Mutex
	clients map[*client]struct{}
	stop    context.CancelFunc // ends the run; nil if none is active
	feed    *feed              // of the active run
}

// A client is one browser.
type client struct {
	updates chan []byte // closed when the client is too slow
}

// serve sends server-sent events until the browser disconnects.
func (h *hub) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	c := &client{updates: make(chan []byte, updatesMax)}
	if !h.add(c) {
		http.Error(w, "too many browsers look at this page", http.StatusServiceUnavailable)
		return
	}
	defer h.remove(c)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // turns off buffering in nginx
	out := http.NewResponseController(w)
	for {
		select {
		case <-r.Context().Done():
			return
		case b, ok := <-c.updates:
			if !ok {
				return
			}
			_ = out.SetWriteDeadline(time.Now().Add(writeTimeout)) // not every server supports deadlines
			if _, err := w.Write(b); err != nil {
				return
			}
			if err := out.Flush(); err != nil {
				return
			}
		}
	}
}

// add starts sending updates to c, the first of which is complete. It returns false if there are too many clients.
func (h *hub) add(c *client) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.clients) >= clientsMax {
		return false
	}
	h.clients[c] = struct{}{}
	if h.stop == nil {
		ctx, stop := context.WithCancel(context.Background())
		h.stop, h.feed = stop, newFeed()
		go h.run(ctx, h.feed)
	} else if b := h.feed.all(); b != nil {
		c.updates <- b
	}
	return true
}

// remove stops sending updates to c. The last client ends the run.
func (h *hub) remove(c *client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.clients, c)
	if len(h.clients) == 0 && h.stop != nil {
		h.stop()
		h.stop, h.feed = nil, nil
	}
}

// run sends updates until ctx is done: after an event of a member or a message, otherwise once a second, and never
// more often than every updateMin.
func (h *hub) run(ctx context.Context, f *feed) {
	events := make(chan status.Event, eventsMax)
	_ = h.source.Watch(ctx, events) // it fails after Shutdown: there are no events then, and the Status says so
	timer := time.NewTimer(0)
	defer timer.Stop()
	var last time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-events:
			f.note(&e)
			timer.Reset(max(0, updateMin-time.Since(last)))
			continue
		case <-timer.C:
		}
		last = time.Now()
		h.send(ctx, f)
		timer.Reset(updateMax)
	}
}

// send gets a new Status and sends the changes to all clients.
func (h *hub) send(ctx context.Context, f *feed) {
	s := h.source.Status()
	stats := h.source.Stats()
	h.mu.Lock()
	defer h.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	first := f.view == nil
	b := f.update(&s, stats)
	if first {
		b = f.all()
	}
	for c := range h.clients {
		select {
		case c.updates <- b:
		default:
			delete(h.clients, c)
			close(c.updates)
		}
	}
}

// A feed is the state of the page that the browsers have. Only the run uses its messages; hub.mu guards the rest.
type feed struct {
	messages *messages
	flow     []flow

	view   *view
	tables map[string]*sent
	names  []string // of the tables, in order
	series map[string][]float64
	before gwyh.Stats
	second time.Time // when a point was last added to the series
}

// sent is the rows of one table as they were sent.
type sent struct {
	rows  map[string][]byte
	order []string
}

// A flow is a received copy of a broadcast, which the script shows in the graph.
type flow struct {
	From  string `json:"from"`
	First bool   `json:"first"`
}

func newFeed() *feed {
	return &feed{messages: newMessages(), tables: make(map[string]*sent), series: make(map[string][]float64)}
}

// flowMax is the number of copies that an update shows in the graph.
const flowMax = 32

// note handles an event.
func (f *feed) note(e *status.Event) {
	f.messages.note(e)
	if !e.IsMember() && len(f.flow) < flowMax {
		f.flow = append(f.flow, flow{From: e.Node.ID, First: e.Kind == status.Received})
	}
}

// An update is a message to the browsers.
type update struct {
	*view
	Full   bool                 `json:"full"` // the browser drops all rows that the update does not have
	Rows   map[string]changes   `json:"rows"`
	Series map[string][]float64 `json:"series,omitempty"`
	Flow   []flow               `json:"flow,omitempty"`
}

// changes are the changes of one table.
type changes struct {
	Set   []json.RawMessage `json:"set,omitempty"`  // new and changed rows
	Gone  []string          `json:"gone,omitempty"` // ids of removed rows
	Order []string          `json:"order"`          // ids of all rows; null if unchanged
}

// update stores a Status and returns the message with the changes.
func (f *feed) update(s *status.Status, stats gwyh.Stats) []byte {
	f.view = viewOf(s, stats, f.messages)
	f.grow(time.Now(), stats)
	u := update{view: f.view, Rows: make(map[string]changes), Series: f.series, Flow: f.flow}
	f.flow = nil
	f.names = f.names[:0]
	for i := range f.view.Tables {
		t := &f.view.Tables[i]
		f.names = append(f.names, t.Name)
		if f.tables[t.Name] == nil {
			f.tables[t.Name] = &sent{rows: make(map[string][]byte)}
		}
		if c := f.tables[t.Name].replace(t.Rows); c.Set != nil || c.Gone != nil || c.Order != nil {
			u.Rows[t.Name] = c
		}
	}
	return event(&u)
}

// replace stores the current rows and returns the changes.
func (t *sent) replace(rows []row) (c changes) {
	order := make([]string, len(rows))
	now := make(map[string][]byte, len(rows))
	for i := range rows {
		id := rows[i].ID
		order[i] = id
		b := encode(still(rows[i]))
		if !bytes.Equal(b, t.rows[id]) {
			c.Set = append(c.Set, encode(rows[i]))
		}
		now[id] = b
	}
	for _, id := range t.order {
		if now[id] == nil {
			c.Gone = append(c.Gone, id)
		}
	}
	if !slices.Equal(order, t.order) {
		c.Order = order
	}
	t.rows, t.order = now, order
	return c
}

// still returns a row without texts that say how long ago something was: the script writes these itself.
func still(r row) row {
	cells := slices.Clone(r.Cells)
	for i := range cells {
		if cells[i].Time != 0 {
			cells[i].Text = ""
		}
	}
	r.Cells = cells
	return r
}

// all returns the message with the complete state, or nil if there is none yet.
func (f *feed) all() []byte {
	if f.view == nil {
		return nil
	}
	u := update{view: f.view, Full: true, Rows: make(map[string]changes), Series: f.series}
	for _, name := range f.names {
		t := f.tables[name]
		c := changes{Order: t.order}
		for _, id := range t.order {
			c.Set = append(c.Set, t.rows[id])
		}
		u.Rows[name] = c
	}
	return event(&u)
}

// grow adds a point to each series, once a second.
func (f *feed) grow(now time.Time, stats gwyh.Stats) {
	elapsed := now.Sub(f.second).Seconds()
	if f.second.IsZero() {
		f.before, f.second = stats, now
		return
	}
	if elapsed < 0.95 {
		return
	}
	add := func(name string, before, after uint64) {
		rate := 0.
		if after > before {
			rate = float64(after-before) / elapsed
		}
		points := append(f.series[name], float64(int(rate*10))/10)
		f.series[name] = points[max(0, len(points)-seriesMax):]
	}
	b := &f.before
	add("messages", b.BroadcastsDelivered, stats.BroadcastsDelivered)
	add("sent", b.BroadcastsSent, stats.BroadcastsSent)
	add("bytes", b.BytesSent+b.BytesReceived, stats.BytesSent+stats.BytesReceived)
	add("drops", b.Dropped, stats.Dropped)
	f.before, f.second = stats, now
}

// event formats a message of server-sent events.
func event(u *update) []byte {
	return slices.Concat([]byte("retry: 1000\ndata: "), encode(u), []byte("\n\n"))
}

// encode returns v as JSON. Encoding never fails for the types used here.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

package statuspage

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gwyh-go/gwyh/status"
)

// messagesMax is the number of broadcasts that the page shows: the latest ones.
const messagesMax = 100

// copiesMax is the number of duplicates of one broadcast that the page shows.
const copiesMax = 16

// A message is a received broadcast.
type message struct {
	id      string
	at      time.Time
	from    string
	made    bool // from made it
	travel  time.Duration
	parents []string
	bytes   int
	copies  int // duplicates
	lags    []float64
	late    []string
}

// messages are the latest received broadcasts. A nil *messages is empty.
type messages struct {
	byID   map[string]*message
	order  []*message // the oldest first
	missed uint64     // events dropped because the queue was full
}

func newMessages() *messages { return &messages{byID: make(map[string]*message)} }

// note handles an event.
func (m *messages) note(e *status.Event) {
	m.missed += e.Missed
	switch e.Kind {
	case status.Received:
		x := &message{id: e.Message, at: e.At, from: nameOf(e.Node), made: e.Made, travel: e.Travel, bytes: e.Size}
		for _, p := range e.Parents {
			x.parents = append(x.parents, nameOf(p))
		}
		m.add(x)
	case status.Duplicate:
		if x := m.byID[e.Message]; x != nil {
			x.copies++
			if len(x.lags) < copiesMax {
				x.lags = append(x.lags, e.At.Sub(x.at).Seconds()*1000)
				x.late = append(x.late, nameOf(e.Node))
			}
		}
	}
}

func (m *messages) add(x *message) {
	if m.byID[x.id] != nil {
		return
	}
	if len(m.order) == messagesMax {
		delete(m.byID, m.order[0].id)
		m.order = m.order[1:]
	}
	m.order = append(m.order, x)
	m.byID[x.id] = x
}

// table returns the table of the messages, the latest first.
func (m *messages) table(now time.Time) table {
	t := table{Name: "messages", View: "messages", Title: "Messages that arrived", Empty: "No message has arrived since this page was opened.",
		Help: fmt.Sprintf("The last %d broadcasts, while somebody looks at this page. A message says how far it has traveled, not when it was made: it was made at least the time under "+
			"\"Made before\" earlier, and earlier still if it waited on the way. Only beacons (below) measure that too. The strip shows by how much each further copy came later, on a scale up to 1 s. "+
			"Parents are the neighbors that this node takes full copies of its origin's messages from; until it has chosen them, all neighbors send.", messagesMax),
		Columns: []column{{Label: "Message"}, {Label: "Arrived"}, {Label: "Made before", Number: true}, {Label: "Bytes", Number: true}, {Label: "First from"}, {Label: "Parents"},
			{Label: "Copies", Number: true}, {Label: "Later copies"}, {Label: "From", Extra: true}}}
	if m == nil {
		return t
	}
	names := make(map[string]string) // of origins
	for _, x := range m.order {
		if x.made {
			names[originOf(x.id)] = x.from
		}
	}
	for i := len(m.order) - 1; i >= 0; i-- {
		x := m.order[i]
		origin, nth := splitID(x.id)
		lags := make([]string, len(x.lags))
		for i, l := range x.lags {
			lags[i] = milliseconds(time.Duration(max(l, 0.01) * float64(time.Millisecond)))
		}
		later := cell{Text: strings.Join(lags, ", "), Lags: x.lags}
		t.Rows = append(t.Rows, row{ID: x.id, Cells: []cell{text(cmp.Or(names[originOf(x.id)], origin) + " · " + nth), moment(now, x.at), traveled(x.travel),
			number(size(float64(x.bytes)), float64(x.bytes)), text(x.from), text(cmp.Or(strings.Join(x.parents, ", "), "not chosen yet")), number(fmt.Sprint(1+x.copies), float64(1+x.copies)), later, text(strings.Join(x.late, ", "))}})
	}
	return t
}

// traveled shows the travel time of a message, which is what it took at least.
func traveled(d time.Duration) cell {
	if d <= 0 {
		return number("unknown", 0)
	}
	return number("≥ "+milliseconds(d), d.Seconds())
}

// originOf returns the part of an id that all messages of one origin share.
func originOf(id string) string { return id[:min(len(id), len("xxxxxxxx-xxxx-xxxx"))] }

// splitID splits the id of a message into the beginning of the origin id and the origin's number of the message.
func splitID(id string) (origin, number string) {
	hex := strings.ReplaceAll(id, "-", "")
	if len(hex) != 32 {
		return id, "?"
	}
	n, err := strconv.ParseUint(hex[16:], 16, 64)
	if err != nil {
		return id, "?"
	}
	return hex[:6], strconv.FormatUint(n, 10)
}

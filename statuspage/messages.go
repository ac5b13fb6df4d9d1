package statuspage

import (
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
	id     string
	at     time.Time
	from   string
	bytes  int
	copies int // duplicates
	lags   []float64
	late   []string
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
		m.add(&message{id: e.Message, at: e.At, from: nameOf(e.Node), bytes: e.Size})
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
		Help: fmt.Sprintf("The last %d broadcasts, while somebody looks at this page. The strip shows by how much each further copy came later, on a scale up to 1 s.", messagesMax),
		Columns: []column{{Label: "Message"}, {Label: "Arrived"}, {Label: "Bytes", Number: true}, {Label: "First from"}, {Label: "Copies", Number: true},
			{Label: "Later copies"}, {Label: "From", Extra: true}}}
	if m == nil {
		return t
	}
	for i := len(m.order) - 1; i >= 0; i-- {
		x := m.order[i]
		origin, nth := splitID(x.id)
		lags := make([]string, len(x.lags))
		for i, l := range x.lags {
			lags[i] = milliseconds(time.Duration(max(l, 0.01) * float64(time.Millisecond)))
		}
		later := cell{Text: strings.Join(lags, ", "), Lags: x.lags}
		t.Rows = append(t.Rows, row{ID: x.id, Cells: []cell{text(origin + " · " + nth), moment(now, x.at), number(size(float64(x.bytes)), float64(x.bytes)),
			text(x.from), number(fmt.Sprint(1+x.copies), float64(1+x.copies)), later, text(strings.Join(x.late, ", "))}})
	}
	return t
}

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

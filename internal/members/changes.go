package members

// A changeLog lists the entries that have changed since they were last read, with repeats. Without a reader it is empty.
type changeLog struct {
	read bool // there is a reader
	list []*Entry
}

// note records a change of m.
func (l *changeLog) note(m *Entry) {
	if l.read && (len(l.list) == 0 || l.list[len(l.list)-1] != m) {
		l.list = append(l.list, m)
	}
}

// take yields the list and empties it.
func (l *changeLog) take(yield func(*Entry)) {
	for _, m := range l.list {
		yield(m)
	}
	clear(l.list)
	l.list = l.list[:0]
}

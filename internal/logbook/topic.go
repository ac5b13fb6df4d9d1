package logbook

// A Topic is what a line of the log is about. Each topic has a bound of its own.
type Topic uint8

const (
	Joined Topic = iota
	Left
	Failed
	Back
	Name
	Path
	Partition
	Suspicion
	Refutation
	Probe
	Handshake
	Link
	Choice
	Topics // how many there are
)

// topics has the level of each topic's lines, and what the count of lines left out calls them.
var topics = [Topics]struct{ level, leftOut string }{
	Joined:     {"INFO", "members joined"},
	Left:       {"INFO", "members left"},
	Failed:     {"INFO", "members failed"},
	Back:       {"INFO", "members are back"},
	Name:       {"WARN", "name conflicts"},
	Path:       {"INFO", "paths were measured"},
	Partition:  {"INFO", "lines about partitions"},
	Suspicion:  {"DEBUG", "suspicions"},
	Refutation: {"DEBUG", "refutations"},
	Probe:      {"DEBUG", "lines about probes"},
	Handshake:  {"DEBUG", "lines about handshakes"},
	Link:       {"DEBUG", "lines about links"},
	Choice:     {"DEBUG", "choices"},
}

// bound returns how many lines of the topic are written in Interval.
func (t Topic) bound() int {
	if topics[t].level == "DEBUG" {
		return debugLines
	}
	return infoLines
}

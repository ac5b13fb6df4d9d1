package gwyh

import "strconv"

// A DistributionStrategy decides by zone (Config.Zone) which members a node chooses for its links. It matters if
// traffic between zones is slow or expensive. All nodes without a zone count as one zone.
type DistributionStrategy int

const (
	// Uniform ignores zones. It spreads messages quickly if all distances are similar.
	Uniform DistributionStrategy = iota
	// HubAndSpoke chooses one node of each other zone, at most two for each of Config.Subscriptions, and otherwise nodes
	// of its own zone. It causes the least traffic between zones.
	HubAndSpoke
	// PreferLocal chooses a node of its own zone twice as often as a node of another zone.
	PreferLocal
	// PreferRemote chooses a node of another zone twice as often as a node of its own zone.
	PreferRemote
	// Nearest chooses the nodes with the shortest round-trip time, except for two at random, and at least one node of
	// another zone. It measures round-trip times, and estimates those that it has not measured by zone. It spreads
	// messages fastest over long distances and causes little traffic between zones.
	Nearest
)

// String returns the name of the constant.
func (s DistributionStrategy) String() string {
	names := [...]string{"Uniform", "HubAndSpoke", "PreferLocal", "PreferRemote", "Nearest"}
	if s.valid() {
		return names[s]
	}
	return "DistributionStrategy(" + strconv.Itoa(int(s)) + ")"
}

func (s DistributionStrategy) valid() bool { return s >= Uniform && s <= Nearest }

package gwyh

import "strconv"

// A DistributionStrategy chooses which nodes a node hears from, by zone (Config.Zone). It matters
// when traffic between zones is slow or costs money; nodes without a zone are a zone of their own.
type DistributionStrategy int

const (
	// Uniform chooses without regard to zones. It spreads a message quickly when distances are alike.
	Uniform DistributionStrategy = iota
	// HubAndSpoke hears from one node of each other zone and for the rest from its own zone: the
	// least traffic between zones.
	HubAndSpoke
	// PreferLocal chooses nodes of its own zone twice as readily as others.
	PreferLocal
	// PreferRemote chooses nodes of other zones twice as readily as those of its own.
	PreferRemote
	// Nearest hears from the nodes with the shortest round trip, but for two at random, and from one of
	// another zone at least. It measures, and takes the zone of a node that it has not measured as a
	// sign of its distance. It spreads a message quickest over long distances, and little of it between
	// zones.
	Nearest
)

// String is the name of the constant.
func (s DistributionStrategy) String() string {
	names := [...]string{"Uniform", "HubAndSpoke", "PreferLocal", "PreferRemote", "Nearest"}
	if s.valid() {
		return names[s]
	}
	return "DistributionStrategy(" + strconv.Itoa(int(s)) + ")"
}

func (s DistributionStrategy) valid() bool { return s >= Uniform && s <= Nearest }

//go:build race

package gossip

// thousand is the size of the large simulated clusters. The race detector finds in a tenth of the nodes what it would
// find in all, and there is only one goroutine.
const thousand = 100

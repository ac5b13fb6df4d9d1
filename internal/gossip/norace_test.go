//go:build !race

package gossip

// thousand is the size of the large simulated clusters.
const thousand = 1000

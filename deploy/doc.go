// Package deploy has no code. Its tests hold the files in this directory to the library and the program that they are for.
package deploy

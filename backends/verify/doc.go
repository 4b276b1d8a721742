// Package verify says what the rules of some networks mean. [Verification] decides it for all
// packets: whether what each back end emits, read back, does what the program does, who reaches
// whom, what is asserted, what changes. [Tracer] shows it for one packet, rule by rule with the XML
// behind each. [Audit] says how the rules of a host differ. Each has its text and its JSON here,
// side by side, and its SARIF where there is one. The package knows back ends by their contract
// only, and touches no host.
package verify

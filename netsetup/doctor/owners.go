package doctor

import (
	"slices"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// Owners of rules that can be told from the names of tables and chains, in the words of their
// users.
const (
	docker    = "Docker"
	firewalld = "firewalld"
	ufw       = "ufw"
	libvirt   = "libvirt"
	podman    = "podman"
	kubeProxy = "kube-proxy"
	fail2ban  = "fail2ban"
	tailscale = "tailscale"
	nixos     = "NixOS"
	vnetc     = "vnetc"
	admin     = "administrator" // in the chains that vnetc keeps for him
	byHand    = ""              // nobody that is known: an administrator, or a program without a name of its own
)

// marks are the beginnings of names by which an owner's chains and tables can be told.
var marks = []struct {
	owner          string
	tables, chains []string
}{
	{vnetc, []string{"vnetc"}, []string{"VNETC_"}},
	{firewalld, []string{"firewalld"}, []string{"FWD_", "IN_public", "filter_FWD", "filter_IN_"}},
	{libvirt, []string{"libvirt_network"}, []string{"LIBVIRT_"}},
	{docker, []string{"docker-"}, []string{"DOCKER"}},
	{ufw, nil, []string{"ufw-", "ufw6-"}},
	{podman, []string{"netavark"}, []string{"NETAVARK", "CNI-"}},
	{kubeProxy, []string{"kube-proxy"}, []string{"KUBE-"}},
	{fail2ban, []string{"f2b-table"}, []string{"f2b-"}},
	{tailscale, nil, []string{"ts-"}},
	{nixos, []string{"nixos-fw"}, []string{"nixos-fw", "nixos-drop"}},
}

func begins(name string, with []string) bool {
	return slices.ContainsFunc(with, func(w string) bool { return strings.HasPrefix(name, w) })
}

// ownerOf returns whose rule or policy the step is. A rule of a chain with a name of nobody's, and
// the policy of a built-in chain, belong to him whose chains the built-in chain leads to.
func ownerOf(p *ir.Program, s ir.Step) string {
	if s.Chain.Admin {
		return admin
	}
	for _, m := range marks {
		if begins(s.Chain.Table, m.tables) || begins(s.Chain.Name, m.chains) {
			return m.owner
		}
	}
	if s.Rule != nil {
		return byHand
	}
	// Docker and ufw set the policy of chains that are everybody's.
	for _, m := range marks {
		if m.owner == docker || m.owner == ufw || m.owner == kubeProxy {
			for i := range s.Chain.Rules {
				if jump, is := s.Chain.Rules[i].Verdict.(ir.Jump); is && begins(jump.Chain, m.chains) {
					return m.owner
				}
			}
		}
	}
	return byHand
}

//! Simplified Chinese of the page that tells devices how to trust the server.

import type { Device, TrustMessages } from './trust.en.ts';

const DEVICES: Readonly<Record<Device, { name: string; steps: readonly string[] }>> = {
  ios: {
    name: 'iPhone 和 iPad',
    steps: [
      '用 Safari 打开本页，点“下载描述文件”，再点“允许”。',
      '打开“设置 → 通用 → VPN 与设备管理”，选择 openmic，点“安装”。',
      '打开“设置 → 通用 → 关于本机 → 证书信任设置”，打开 openmic 的开关。缺了这一步不会生效。',
    ],
  },
  android: {
    name: '安卓手机',
    steps: [
      '点“下载证书”，手机会保存为 openmic-ca.crt。',
      '在设置里搜索“CA 证书”（一般在“安全 → 更多安全设置 → 加密与凭据 → 安装证书”），选择“CA 证书”，确认后选中该文件。',
      '用 Chrome 打开下面的安全地址。很多应用以及应用内的浏览器不认用户自己安装的证书。',
    ],
  },
  windows: {
    name: 'Windows',
    steps: [
      '下载证书并打开，点“安装证书…”。',
      '选择“当前用户”，再选“将所有的证书都放入下列存储”：受信任的根证书颁发机构。',
      '重新启动浏览器。',
    ],
  },
  macos: {
    name: 'Mac',
    steps: [
      '下载证书并打开，“钥匙串访问”会添加它。',
      '在其中双击 openmic，展开“信任”，选择“始终信任”。',
      '重新启动浏览器。',
    ],
  },
  linux: {
    name: 'Linux，以及各系统上的 Firefox',
    steps: [
      '下载证书。',
      'Firefox：设置 → 隐私与安全 → 查看证书 → 证书颁发机构 → 导入，并允许用于网站。',
      'Chrome：打开 chrome://certificate-manager，依次选择“本地证书 → 自定义 → 受信任的证书 → 导入”。',
    ],
  },
};

export const trustZhCN: TrustMessages = {
  title: '信任这台服务器',
  intro: '浏览器只在受信任的页面上打开摄像头、麦克风和安全连接。这台服务器为自己签发证书：安装一次，之后打开它的页面就不再有警告。',
  limits: '该证书只对这台服务器和内网有效，不能用于其他网站，您可以随时删除它。',
  getCertificate: '下载证书',
  getProfile: '下载描述文件',
  scanTitle: '用手机',
  scan: '用手机相机扫描。手机要和服务器在同一个网络里。',
  qrOf: (address) => `${address} 的二维码`,
  pageAddress: '本页地址',
  nobodyReaches: '其他设备访问不到这台服务器：它只监听本机。请设置 http.tls_listen，例如 0.0.0.0:8443。',
  compareTitle: '信任之前先核对',
  compare: '网络里的其他人有可能给了您另一张证书。安装前设备会显示证书的 SHA-256 指纹，必须与下面的一致；服务器启动时也把它写进了日志。',
  fingerprint: 'SHA-256 指纹',
  stepsTitle: '安装步骤',
  device: (device) => DEVICES[device],
  thenTitle: '然后打开',
  secureAddress: '安全地址',
  notNeeded: '什么都不用安装',
  notNeededHelp: '这台服务器没有自己的证书颁发机构。如果浏览器对它的证书发出警告，请告诉服务器管理员。',
  unreachable: '服务器没有响应，请稍后重新打开本页。',
};
